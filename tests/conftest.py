"""Shared fixtures: tools as modules, a drawn data set, a tiny dual encoder on random weights."""

import gc
import importlib.util
import os
import re
import signal
import sys
from contextlib import contextmanager
from functools import cache
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

# Hundreds of modules are imported and rewritten, and none of them becomes garbage: looking for it
# takes two fifths of the time before the first test. On again when all tests are collected.
gc.disable()
# Tiny models: threads would only get in each other's way, and sums would depend on their number.
os.environ['OMP_NUM_THREADS'] = '1'
# The shell may belong to a batch job or hold an account; the tests are no part of either.
for name in [*os.environ]:
    if name.startswith(('SLURM_', 'OMPI_', 'MASTER_', 'MILVUS_', 'GRADIO_')) or name in (
            'RANK', 'LOCAL_RANK', 'GROUP_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'NNODES',
            'NODE_RANK', 'PORT', 'GPUS', 'GPUS_PER_NODE', 'CPUS_PER_TASK', 'SRUN_ARGS'):
        del os.environ[name]
# In the background of a shell without job control, Ctrl-C is ignored, by every child, too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A forked process that clears away an ONNX session of its parent waits for threads that it has not.
os.register_at_fork(after_in_child=gc.freeze)
# Servers of tests are on this machine, whatever proxy the shell names.
os.environ['no_proxy'] = ','.join(filter(None, [os.environ.get('no_proxy'), '127.0.0.1,localhost']))


class ModulesAlone(FileFinder):
    """A finder for which a folder of tests is no package, as `datasets` is one of Hugging Face."""

    def find_spec(self, name, target=None):
        spec = super().find_spec(name, target)
        return spec if spec is None or spec.loader else None


TESTS = os.path.dirname(__file__)
sys.path_importer_cache[TESTS] = ModulesAlone(TESTS, (SourceFileLoader, SOURCE_SUFFIXES))

import pytest  # noqa: E402
import torch  # noqa: E402
from fresh_state import fresh_state  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402
from tiny_models import TINY_BERT, TINY_VIT  # noqa: E402

import mmtbps  # noqa: E402, F401  before mmpretrain, which may miss torchvision

ROOT = Path(__file__).resolve().parent.parent


def pytest_sessionstart(session):
    """Print the seed of the order, also with -q, and first: a run that hangs can be repeated."""
    seed = session.config.getoption('randomly_seed', None)
    reporter = session.config.pluginmanager.get_plugin('terminalreporter')
    if reporter and seed is not None:
        reporter.write_line(f'tests in random order; the same again: --randomly-seed={seed}')


def pytest_collection_finish(session):
    """Look for garbage from now on."""
    gc.enable()


@pytest.fixture(scope='module')
def tool(request):
    """The module of the command line that a test file names: ``TOOL = 'tools/search.py'``."""
    path = ROOT / request.module.TOOL
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope='module')
def own_state_of_the_file():
    """Fixtures of a file start as in a new process, whatever files ran before."""
    with fresh_state():
        yield


@pytest.fixture(autouse=True)
def own_state(own_state_of_the_file):
    """So does every test, also beside what the fixtures of its file left behind."""
    with fresh_state():
        yield


@pytest.fixture
def same_log_level_afterwards():
    """Of commands that quieten the log of this process."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def refused(capsys):
    """A context in which a command line says one line of error, which is matched, and exits."""
    @contextmanager
    def check(pattern, code=1):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            yield
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
        assert stop.value.code == code and len(said) == 1, said
        assert re.search(pattern, said[0]), said

    return check


@pytest.fixture
def at_fault(capsys):
    """A context in which a command line ends as by a fault of the program: 70, with a traceback."""
    @contextmanager
    def check(kind):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            yield
        said = capsys.readouterr().err
        assert stop.value.code == 70, said
        assert 'Traceback' in said and re.search(rf'^{kind.__name__}\b', said, re.MULTILINE), said

    return check


@pytest.fixture(scope='session')
def micro_set(tmp_path_factory):
    """A drawn data set of 40 people at 96 x 32 pixels."""
    from mmtbps.drawing import draw_dataset
    root = tmp_path_factory.mktemp('drawn') / 'micro'
    draw_dataset(root, size='micro', seed=0, workers=1, progress=False)
    return root


@pytest.fixture
def tiny_retriever():
    """A function that builds a small seeded retriever; keywords replace its parts."""
    from mmtbps.models import TextImageRetriever
    from mmtbps.models.backbones.vit import OverlapViT

    def build(**parts):
        torch.manual_seed(0)
        defaults = dict(
            data_preprocessor=dict(type='TextImagePreprocessor'),
            image_backbone=dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8,
                                stride=6),
            text_backbone=dict(type='BERTBackbone', config=TINY_BERT),
            heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.05)))
        return TextImageRetriever(**{**defaults, **parts})

    return build


@pytest.fixture
def tiny_batch():
    """A function that makes a collated batch: N images with k captions each."""
    from mmengine.dataset import pseudo_collate
    from mmpretrain.structures import DataSample

    def build(num_images=4, num_captions=1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        samples = []
        for i in range(num_images):
            captions = [torch.randint(5, 50, (int(length),), generator=generator)
                        for length in torch.randint(3, 9, (num_captions,), generator=generator)]
            image = torch.randint(0, 256, (3, 32, 16), generator=generator, dtype=torch.uint8)
            sample = DataSample(metainfo=dict(person_id=i, image_id=i, img_path=f'{i}.jpg',
                                              num_captions=num_captions,
                                              captions=['a man'] * num_captions))
            samples.append(dict(
                inputs=dict(image=image, input_ids=torch.cat(captions),
                            caption_lengths=torch.tensor([len(c) for c in captions])),
                data_samples=sample))
        return pseudo_collate(samples)

    return build


@pytest.fixture(scope='module', autouse=True)
def former_objects_are_left_alone():
    """MMEngine looks for garbage with every data set: not in packages, nor in what is older."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def plain_config_text():
    """The text of a config, which goes into logs and checkpoints, as it is: its layout is slow."""
    from yapf.yapflib import yapf_api
    with pytest.MonkeyPatch.context() as patch:
        laid_out = yapf_api.FormatCode
        patch.setattr(yapf_api, 'FormatCode', lambda text, **_: (text, True))
        yield laid_out


@pytest.fixture(scope='session', autouse=True)
def machine_is_looked_at_once():
    """MMEngine asks git, the compiler and the finders of modules in every run, and every layer."""
    with pytest.MonkeyPatch.context() as patch:
        for place, names in {'runner.runner': ('get_git_hash', 'collect_env'),
                             'hooks.runtime_info_hook': ('get_git_hash', ),
                             'model.utils': ('mmcv_full_available', )}.items():
            module = importlib.import_module(f'mmengine.{place}')
            for name in names:
                patch.setattr(module, name, cache(getattr(module, name)))
        yield


@pytest.fixture
def config_text_laid_out(monkeypatch, plain_config_text):
    """The text of a config with MMEngine's own layout."""
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', plain_config_text)
