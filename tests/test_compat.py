"""The cures: safe checkpoints, torchvision, multimodal fence, lazy bases."""

import builtins
import os
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint

from mmtbps import compat
from mmtbps.errors import UserError
from mmtbps.fileio import BrokenCheckpoint

ROOT = Path(__file__).resolve().parent.parent


class Attack:
    """Runs a command when unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def load(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


@pytest.mark.parametrize('attack', [
    lambda mark: Attack(os.system, f'touch {shlex.quote(str(mark))}'),
    lambda mark: Attack(builtins.eval, f'open({str(mark)!r}, "w")'),
    lambda mark: Attack(getattr, HistoryBuffer, '__init__'),
    lambda mark: Attack(getattr, HistoryBuffer([1.0], [1]), '__class__'),
])
def test_a_checkpoint_that_carries_code_is_refused(attack, tmp_path):
    mark = tmp_path / 'executed'
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), meta=attack(mark)), tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError, match='a.pth: refused') as error:
        load(tmp_path / 'a.pth')
    assert isinstance(error.value, UserError)
    assert 'weights_only' not in str(error.value)  # torch advises to switch the protection off
    assert not mark.exists()


def test_the_attack_would_have_worked_without_the_cure(tmp_path):
    mark = tmp_path / 'executed'
    torch.save(Attack(os.system, f'touch {shlex.quote(str(mark))}'), tmp_path / 'a.pth')
    torch.load(tmp_path / 'a.pth', weights_only=False)
    assert mark.exists()


def test_mmengines_own_checkpoint_loads(tmp_path):
    hub = MessageHub.get_instance('compat')
    for value in (3.0, 1.0):
        hub.update_scalar('train/loss', value)
    save_checkpoint(dict(state_dict=dict(weight=torch.ones(2)), message_hub=hub.state_dict(),
                         meta=dict(epoch=3, seed=0)), str(tmp_path / 'epoch_3.pth'))
    checkpoint = load(tmp_path / 'epoch_3.pth')
    assert checkpoint['meta']['epoch'] == 3
    history = checkpoint['message_hub']['log_scalars']['train/loss']
    assert history.data[0].tolist() == [3.0, 1.0] and history.mean() == 2.0


def test_what_may_be_unpickled_has_its_name_itself():
    """torch 2.5 takes no pair of an object and the name that a checkpoint has for it."""
    from mmtbps.fileio.checkpoint_files import _allowed_globals
    names = {f'{allowed.__module__}.{allowed.__qualname__}' for allowed in _allowed_globals()}
    assert 'builtins.getattr' in names and getattr not in _allowed_globals()
    assert all(allowed.__name__ == allowed.__qualname__ for allowed in _allowed_globals())


def test_safetensors_load(tmp_path):
    from safetensors.torch import save_file
    save_file(dict(weight=torch.arange(3.0)), tmp_path / 'model.safetensors')
    assert load(tmp_path / 'model.safetensors')['weight'].tolist() == [0.0, 1.0, 2.0]


def test_a_missing_or_broken_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        load(tmp_path / 'nowhere.pth')
    (tmp_path / 'broken.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(BrokenCheckpoint, match='broken.pth: no checkpoint of torch'):
        load(tmp_path / 'broken.pth')


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
@pytest.mark.parametrize('size', [0, 100, -20])
def test_a_checkpoint_that_is_cut_short_is_named(tmp_path, name, size):
    from safetensors.torch import save_file
    save = save_file if name.endswith('.safetensors') else torch.save
    save(dict(weight=torch.arange(64.)), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:size])
    with pytest.raises(UserError, match=f'{name}: (empty or )?cut short') as caught:
        load(tmp_path / name)
    assert isinstance(caught.value, RuntimeError)


def test_mmpretrain_imports_and_leaves_no_stub_behind():
    import mmpretrain.datasets
    import mmpretrain.models
    import transformers
    assert mmpretrain.models.VisionTransformer and mmpretrain.datasets.RandomCrop
    stub = sys.modules.get('torchvision')
    assert stub is None or stub.__spec__.origin, 'the stub outlived the import'
    assert transformers.BertModel


def test_the_stub_vanishes_after_its_block():
    if 'torchvision' in sys.modules or compat._import_torchvision():
        pytest.skip('a real torchvision is installed')
    with compat.torchvision_or_stub() as kind:
        import torchvision.transforms.functional as functional
        assert kind == 'stub' and functional.pil_to_tensor
    with pytest.raises(ImportError):
        import torchvision.ops  # noqa: F401


def test_torchvision_of_another_torch_can_be_imported(tmp_path):
    """Beside a torch for CPUs its binary is not loaded, and nothing declares what it registers."""
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision/__init__.py').write_text('from . import _meta_registrations')
    (tmp_path / 'torchvision/_meta_registrations.py').write_text(
        'import torch\n@torch.library.register_fake("torchvision::nms")\n'
        'def nms(dets, scores, iou_threshold):\n    pass\n')
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    for line, works in (('import torchvision', False), ('import mmtbps, torchvision', True)):
        done = subprocess.run([sys.executable, '-c', line], env=environment, capture_output=True,
                              text=True)
        assert (done.returncode == 0) is works, done.stderr
        assert works or 'torchvision::nms does not exist' in done.stderr


def test_multimodal_fence_follows_the_versions(monkeypatch):
    import mmpretrain.utils.dependency as dependency
    import transformers
    for version, expected in (('5.23.0', False), ('4.40.2', True)):
        monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
        monkeypatch.setattr(transformers, '__version__', version)
        compat._fence_multimodal()
        assert dependency.WITH_MULTIMODAL is expected


def run_python(code):
    """Standard output of a fresh interpreter."""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_missing_stack_is_one_clear_line_where_it_is_needed_first():
    """The package itself imports without it; each part that needs it says so."""
    answer = run_python(
        'import importlib, sys\n'
        "for name in ('torch', 'mmengine', 'mmcv'):\n"
        '    sys.modules[name] = None  # as if not installed\n'
        'import mmtbps, mmtbps.search\n'
        "for part in ('registry', 'datasets', 'models', 'models.backbones.vit', 'engine',\n"
        "             'evaluation.ranking', 'generation', 'generation.gates',\n"
        "             *(f'search.encoders.{name}' for name in (\n"
        "                 'device', 'explain', 'onnx_export', 'saved_model', 'torch_encoder'))):\n"
        '    try:\n'
        "        importlib.import_module(f'mmtbps.{part}')\n"
        '    except ImportError as error:\n'
        '        print(error)\n')
    lines = answer.splitlines()
    assert len(lines) == 13 and set(lines) == {
        'mmtbps needs torch, mmengine, mmcv. Install torch first, then the OpenMMLab stack: '
        'pip install torch && pip install "mmtbps[mm]" (or "mmtbps[onedl]", never both)'}


def test_importing_the_package_loads_nothing_heavy():
    answer = run_python(
        'import sys, mmtbps\n'
        "heavy = {'torch', 'mmengine', 'mmcv', 'mmpretrain', 'transformers', 'numpy'}\n"
        'print(sorted(heavy & set(sys.modules)), mmtbps.__version__)\n')
    assert answer.startswith('[] ')


@pytest.mark.parametrize('first, second', [
    ('import mmtbps', 'import mmengine.runner'), ('import mmengine.runner', 'import mmtbps')])
def test_the_cures_act_whichever_is_imported_first(first, second, tmp_path):
    mark = tmp_path / 'executed'
    torch.save(Attack(os.system, f'touch {shlex.quote(str(mark))}'), tmp_path / 'a.pth')
    (tmp_path / 'heir.py').write_text("_base_ = 'mmtbps::tbps/vit_bert_base_drawn.py'\n")
    answer = run_python(
        f'{first}\n{second}\n'
        'from pickle import UnpicklingError\n'
        'from mmengine.config import Config\n'
        'from mmengine.runner import CheckpointLoader\n'
        f"print(Config.fromfile({str(tmp_path / 'heir.py')!r}).train_cfg.max_epochs)\n"
        'try:\n'
        f"    CheckpointLoader.load_checkpoint({str(tmp_path / 'a.pth')!r})\n"
        'except UnpicklingError:\n'
        "    print('refused')\n")
    assert answer.split()[0] == '12' and 'refused' in answer and not mark.exists()


def test_a_text_config_can_inherit_a_lazy_one(tmp_path):
    (tmp_path / 'heir.py').write_text(
        "_base_ = 'mmtbps::tbps/vit_bert_base_drawn.py'\n"
        'model = dict(heads=dict(contrastive=dict(temperature=0.5)))\n')
    cfg = Config.fromfile(tmp_path / 'heir.py')
    assert cfg.model.heads.contrastive.temperature == 0.5
    assert cfg.model.heads.contrastive.type == 'mmtbps.models.HardnessAwareContrastiveHead'
    assert cfg.train_cfg.max_epochs == 12
    assert '_scope_' not in cfg.pretty_text  # MMEngine would hand it to collate_fn


def test_an_unknown_config_of_ours_is_named(tmp_path):
    (tmp_path / 'heir.py').write_text("_base_ = 'mmtbps::tbps/nothing.py'\n")
    with pytest.raises(FileNotFoundError, match='tbps/nothing.py'):
        Config.fromfile(tmp_path / 'heir.py')


def test_configs_of_other_packages_are_found_as_before(tmp_path):
    if mmengine.__version__.startswith('0.10.'):
        pytest.importorskip('pkg_resources')  # that MMEngine looks packages up through it
    (tmp_path / 'heir.py').write_text("_base_ = 'mmpretrain::_base_/default_runtime.py'\n")
    assert Config.fromfile(tmp_path / 'heir.py').default_scope == 'mmpretrain'


@pytest.mark.parametrize('content', [
    b'', b'a line of text\n' * 9, b'PK\x03\x04 cut short', b'\x80\x02}q', b'\xff\x8d',
    b'\x80\x02h\xb4.', b'version https://git-lfs.github.com/spec/v1\n'])
def test_what_is_no_checkpoint_is_an_error_of_the_user(content, tmp_path):
    (tmp_path / 'junk.pth').write_bytes(content)
    with pytest.raises(UserError, match='junk.pth: '):
        load(tmp_path / 'junk.pth')


def test_what_takes_seconds_to_import_waits_until_it_is_used():
    """Of transformers nothing is needed but for its models, also by MMEngine's optimizers."""
    code = ('import mmtbps.models, mmtbps.engine, mmtbps.datasets, sys; '
            'late = [n for n in ("transformers.modeling_utils", "transformers.trainer_utils", '
            '"peft", "diffusers") if n in sys.modules]; print(late, sys.modules.get('
            '"transformers").__version__)')
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                          cwd=ROOT).stdout.splitlines()
    assert said[-1].startswith('[] ') and said[-1][3].isdigit(), said


def test_an_optimizer_of_transformers_is_built_by_its_name():
    from mmengine.optim import build_optim_wrapper
    from mmengine.optim.optimizer.builder import TRANSFORMERS_OPTIMIZERS
    from transformers import Adafactor
    assert TRANSFORMERS_OPTIMIZERS == ['Adafactor']
    model = torch.nn.Linear(2, 2)
    wrapper = build_optim_wrapper(model, dict(optimizer=dict(
        type='Adafactor', lr=1e-3, relative_step=False)))
    assert type(wrapper.optimizer) is Adafactor
    assert [id(p) for p in wrapper.optimizer.param_groups[0]['params']] == [
        id(p) for p in model.parameters()]
    assert wrapper.optimizer.defaults['relative_step'] is False
