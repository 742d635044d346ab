"""Files of strangers: read without running them, or refused in one line with nothing written."""

import argparse
import os
import pickle
import sys
import tarfile
import types
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
import torch
from forked_processes import run_tool
from published_checkpoints import clip_state, irra_heads, transformers_state
from safetensors.torch import save_file
from torch import nn

from mmtbps.errors import UserError
from mmtbps.fileio import UnsafeCheckpoint
from mmtbps.models.converters import KINDS, read_source

COMMAND = Path(__file__).resolve().parents[3] / 'tools/convert_weights.py'
IRRA = dict(image='base_model.visual.', text='base_model.')


@pytest.fixture(scope='module')
def irra():
    return clip_state(193, **IRRA)


@pytest.fixture
def easydict(monkeypatch):
    """The package of that name, as training code has it."""
    class EasyDict(dict):
        def __init__(self, values):
            for key, value in values.items():
                self[key] = EasyDict(value) if isinstance(value, dict) else value
                setattr(self, key, self[key])

    EasyDict.__module__, EasyDict.__qualname__ = 'easydict', 'EasyDict'
    module = types.ModuleType('easydict')
    module.EasyDict = EasyDict
    monkeypatch.setitem(sys.modules, 'easydict', module)
    return EasyDict


def test_an_easydict_is_read_as_a_dict(easydict, tmp_path, monkeypatch):
    weight = torch.randn(3)
    torch.save(dict(model=dict(weight=weight), config=easydict(dict(
        experiment=dict(lr=.1, sizes=[1, 2]), device='cuda'))), tmp_path / 'best.pth')
    monkeypatch.delitem(sys.modules, 'easydict')
    assert torch.equal(read_source(str(tmp_path / 'best.pth')).state['weight'], weight)


class Evil:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f'touch {self.file}',)


OPTIONS = [argparse.Namespace(lr=.1, root=Path('/data'), inner=argparse.Namespace(sizes=[1, 2])),
           types.SimpleNamespace(path=PureWindowsPath('c:/x')), [PurePosixPath('a/b')]]


@pytest.mark.parametrize('options', OPTIONS, ids=['Namespace', 'SimpleNamespace', 'paths'])
def test_options_beside_the_weights_are_passed_over(options, tmp_path):
    weight = torch.randn(3)
    torch.save(dict(model=dict(weight=weight), args=options), tmp_path / 'best.pth')
    loaded = read_source(str(tmp_path / 'best.pth'))
    assert list(loaded.state) == ['weight'] and torch.equal(loaded.state['weight'], weight)


@pytest.mark.parametrize('wrap', [
    lambda evil: argparse.Namespace(run=evil), lambda evil: types.SimpleNamespace(run=[evil]),
    lambda evil: {'args': argparse.Namespace(), 'run': evil}])
def test_code_among_options_is_refused(wrap, tmp_path):
    torch.save(dict(model=dict(weight=torch.ones(1)), args=wrap(Evil(tmp_path / 'hacked'))),
               tmp_path / 'best.pth')
    with pytest.raises(UnsafeCheckpoint, match='best.pth: refused'):
        read_source(str(tmp_path / 'best.pth'))
    assert not (tmp_path / 'hacked').exists()


@pytest.mark.parametrize('prefix', ['module.', 'module.module.', '_orig_mod.', 'module._orig_mod.'])
@pytest.mark.parametrize('wrappings', [(), ('model',), ('state_dict', 'model')])
def test_wrappings_and_prefixes_are_taken_off(prefix, wrappings, tmp_path):
    state = {f'{prefix}a.weight': torch.ones(2).half(), f'{prefix}module.bias': torch.ones(1)}
    for word in wrappings:
        state = {word: state, 'epoch': 3}
    torch.save(state, tmp_path / 'best.pth')
    found = read_source(str(tmp_path / 'best.pth')).state
    assert list(found) == ['a.weight', 'module.bias'] and found['a.weight'].dtype == torch.float32


@pytest.mark.parametrize('name', ['module', 'EasyDictionary', 'EasyDict.update'])
def test_no_other_class_of_it_is_known(name, tmp_path):
    torch.save(dict(model=dict(weight=torch.ones(1))), tmp_path / 'best.pth')
    kind = f'ceasydict\n{name}\n'.encode()
    content = b'\x80\x02}q\x00X\x06\x00\x00\x00config' + kind + b')\x81s.'
    with zipfile.ZipFile(tmp_path / 'evil.pth', 'w') as archive:
        archive.writestr('archive/data.pkl', content)
        archive.writestr('archive/version', '3')
    with pytest.raises(UserError):
        read_source(str(tmp_path / 'evil.pth'))


def test_code_in_a_pickle_is_refused(easydict, tmp_path):
    torch.save(dict(model=dict(weight=torch.ones(1)), config=easydict(dict(
        run=Evil(tmp_path / 'hacked')))), tmp_path / 'best.pth')
    with pytest.raises(UnsafeCheckpoint, match='best.pth: refused'):
        read_source(str(tmp_path / 'best.pth'))
    assert not (tmp_path / 'hacked').exists()


def test_a_member_of_a_tar(convert, irra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(model=irra), 'best.pth')
    with tarfile.open('weights.tar', 'w') as archive:
        archive.add('best.pth', './logs/CUHK-PEDES/best.pth')
    Path('best.pth').unlink()
    convert('irra', 'weights.tar:logs/CUHK-PEDES/best.pth', 'irra.safetensors')
    assert Path('irra.safetensors').is_file()
    with pytest.raises(FileNotFoundError, match='no such member; the tar has ./logs/CUHK-PEDES/b'):
        convert('irra', 'weights.tar:best.pth', 'other.pth')
    with pytest.raises(FileNotFoundError, match='a member must be named; the tar has ./logs/CUHK'):
        convert('irra', 'weights.tar', 'other.pth')
    with pytest.raises(FileNotFoundError, match='others.tar: no such file'):
        convert('irra', 'others.tar:best.pth', 'other.pth')
    Path('noise.tar').write_bytes(b'\xff\0' * 999)
    with pytest.raises(UserError, match='noise.tar: no tar'):
        convert('irra', 'noise.tar:best.pth', 'other.pth')


def test_code_in_a_member_of_a_tar_is_refused_under_its_name(tmp_path):
    torch.save(dict(run=Evil(tmp_path / 'hacked')), tmp_path / 'best.pth')
    with tarfile.open(tmp_path / 'weights.tar', 'w') as archive:
        archive.add(tmp_path / 'best.pth', 'best.pth')
    with pytest.raises(UnsafeCheckpoint, match='weights.tar:best.pth: refused'):
        read_source(f'{tmp_path}/weights.tar:best.pth')
    assert not (tmp_path / 'hacked').exists()


# ------------------------------------------------------------------ TorchScript
class Place(nn.Module):
    """A node of a tree of modules with given weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def as_torchscript(state, path):
    root = Place()
    for key, value in state.items():
        module, (*parents, name) = root, key.split('.')
        for parent in parents:
            if parent not in module._modules:
                module.add_module(parent, Place())
            module = getattr(module, parent)
        module.register_buffer(name, value) if value.ndim == 0 else (
            module.register_parameter(name, nn.Parameter(value, requires_grad=False)))
    torch.jit.script(root).save(str(path))


def test_openais_archive_is_read_without_its_code(tmp_path, monkeypatch):
    state = {key: value.half() for key, value in clip_state(17).items()}
    state['input_resolution'] = torch.tensor(64)
    as_torchscript(state, tmp_path / 'ViT.pt')
    monkeypatch.setattr(torch.jit, 'load', None)
    found = read_source(str(tmp_path / 'ViT.pt')).state
    assert found.keys() == state.keys()
    for key, value in found.items():
        assert torch.equal(value, state[key].float() if value.is_floating_point() else state[key])


def test_openais_archive_converts(convert, tmp_path):
    state = clip_state(17)
    as_torchscript(state, tmp_path / 'ViT.pt')
    torch.save(state, tmp_path / 'plain.pt')
    for name in ('ViT', 'plain'):
        convert('openai_clip', tmp_path / f'{name}.pt', tmp_path / f'{name}.safetensors')
    assert ((tmp_path / 'ViT.safetensors').read_bytes()
            == (tmp_path / 'plain.safetensors').read_bytes())


@pytest.mark.parametrize('damage', ['code', 'class', 'storage', 'cut'])
def test_a_bad_archive_is_refused(damage, tmp_path):
    class Thief:
        def __reduce__(self):
            return (os.system, (f'touch {tmp_path / "hacked"}',)) if damage == 'code' else (
                pickle.Unpickler, ())

    with zipfile.ZipFile(tmp_path / 'ViT.pt', 'w') as archive:
        content = pickle.dumps(Thief(), protocol=2)
        if damage == 'storage':
            content = (b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage'
                       b'ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ'
                       b'K\x00(K\x09t(K\x01t\x89)tR.')
        archive.writestr('ViT/data.pkl', content[:-3] if damage == 'cut' else content)
        archive.writestr('ViT/constants.pkl', b'\x80\x02).')
        archive.writestr('ViT/data/0', b'\0' * 8)
    with pytest.raises(UserError, match='ViT.pt: (refused|a damaged)'):
        read_source(str(tmp_path / 'ViT.pt'))
    assert not (tmp_path / 'hacked').exists()


# ------------------------------------------------------------------ nothing is written
def without(state, key):
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize('kind, change, message', [
    ('irra', lambda s: without(s, 'base_model.visual.transformer.resblocks.1.ln_2.bias'),
     'incomplete'),
    ('irra', lambda s: dict(s, **{'base_model.ln_final.bias': torch.ones(3)}), 'other shapes'),
    ('irra', lambda s: dict(s, **{'base_model.text_projection': torch.ones(64, 40)}),
     'other shapes'),
    ('irra', lambda s: without(s, 'base_model.text_projection'), 'text_neck.projection.weight'),
    ('irra', lambda s: dict(s, **{'base_model.visual.conv1.weight': torch.ones(3)}), 'dimensions'),
    ('irra', lambda s: dict(s, **{
        'base_model.visual.transformer.resblocks.0.adapter_ln_msa.down.weight': torch.ones(1)}),
     'adapter_ln_msa.*features would be others'),
    ('irra', lambda s: dict(s, **{'visul_emb_layer.fc.weight': torch.ones(1)}), 'kind rde'),
    ('irra', lambda s: clip_state(17), 'those of kind openai_clip or open_clip'),
    ('tbps_clip', lambda s: s, 'no TBPS-CLIP.*those of kind irra'),
    ('openai_clip', lambda s: s, 'those of kind irra'),
    ('openai_clip', lambda s: dict(clip_state(17), **{'visual.layer1.0.x': torch.ones(1)}),
     'ResNet'),
    ('openai_clip', lambda s: clip_state(193), 'no square'),
    ('open_clip', lambda s: clip_state(17), '--activation'),
    ('hf_clip', lambda s: transformers_state(clip_state(17)), '--activation'),
    ('hf_clip', lambda s: clip_state(17), 'no CLIPModel.*those of kind openai_clip'),
    ('timm', lambda s: s, 'not a timm ViT.*those of kind irra')])
def test_what_does_not_convert_writes_nothing(kind, change, message, convert, irra, tmp_path):
    torch.save(dict(model=change(irra)), tmp_path / 'best.pth')
    for target in ('person', 'person.pth'):
        with pytest.raises(UserError, match=f'best.pth.*{message}'):
            convert(kind, tmp_path / 'best.pth', tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == ['best.pth']


def test_every_key_of_the_source_is_named_once(irra, tmp_path):
    state = irra | irra_heads() | {'base_model.logit_scale': torch.ones(())}
    torch.save(dict(model=state), tmp_path / 'best.pth')
    from mmtbps.models.converters import convert_checkpoint
    result = convert_checkpoint('irra', str(tmp_path / 'best.pth'))
    assert sorted([*result.used, *result.dropped, *result.unexpected]) == sorted(state)
    assert not result.unexpected and result.complete
    torch.save(dict(model=state | {'new_head.weight': torch.ones(1)}), tmp_path / 'best.pth')
    with pytest.raises(UserError, match=r'best.pth: it has weights that our model has no place for'
                                        r'.*: new_head.weight \(1 weights\)'):
        convert_checkpoint('irra', str(tmp_path / 'best.pth'))


def test_a_missing_or_misshapen_weight_is_named(capsys, convert, irra, tmp_path):
    broken = dict(without(irra, 'base_model.ln_final.weight'),
                  **{'base_model.ln_final.bias': torch.ones(3)})
    torch.save(broken, tmp_path / 'best.pth')
    with pytest.raises(UserError, match='nothing written'):
        convert('irra', tmp_path / 'best.pth', tmp_path / 'person')
    report = capsys.readouterr().out
    assert '  missing: text_backbone.ln_final.weight' in report
    assert '  of another shape: base_model.ln_final.bias is (3,), must be (64,)' in report


def test_another_vocabulary_converts_to_weights_only(convert, tmp_path):
    state = clip_state(17)
    state['token_embedding.weight'] = state['token_embedding.weight'][:100].clone()
    torch.save(state, tmp_path / 'small.pt')
    with pytest.raises(UserError, match='100 entries.*another tokenizer'):
        convert('openai_clip', tmp_path / 'small.pt', tmp_path / 'clip')
    convert('openai_clip', tmp_path / 'small.pt', tmp_path / 'clip.pth')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['clip.pth', 'small.pt']


@pytest.mark.parametrize('words, message', [
    (['irra', 'empty', 'person'], 'empty: none of model.safetensors'),
    (['irra', 'noise.pth', 'person'], 'noise.pth'),
    (['hf_clip', 'numbers.pth', 'person'], 'numbers.pth: there are no weights in it'),
    (['irra', 'layer.safetensors', 'person'], 'layer.safetensors: image_backbone.conv1.weight')])
def test_what_is_no_checkpoint_is_named(words, message, convert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('noise.pth').write_bytes(b'\xff\0' * 99)
    Path('empty').mkdir()
    torch.save(dict(epoch=3), 'numbers.pth')
    save_file(dict(weight=torch.ones(1)), 'layer.safetensors')
    with pytest.raises(UserError, match=message):
        convert(*words)
    assert not Path('person').exists()


def test_an_error_of_the_command_is_one_line(tmp_path):
    done = run_tool([COMMAND, 'irra', 'gone.pth', 'person'], cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith('error: gone.pth: no such file')
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize('target, message', [
    ('full', 'something else in it'), ('best.pth/x', None), ('other.txt', 'a file; name a folder'),
    ('full.pth', 'a folder; name a file')])
def test_targets_that_hold_something_else_are_refused(target, message, convert, irra, tmp_path):
    torch.save(irra, tmp_path / 'best.pth')
    (tmp_path / 'full.pth').mkdir()
    (tmp_path / 'full').mkdir()
    for kept in ('full/notes.txt', 'other.txt'):
        (tmp_path / kept).write_text('mine')
    with pytest.raises((UserError, NotADirectoryError), match=message):
        convert('irra', tmp_path / 'best.pth', tmp_path / target)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*'))
    assert names == ['best.pth', 'full', 'full.pth', 'full/notes.txt', 'other.txt']


@pytest.mark.parametrize('option', [['--image-size', '384'], ['--image-size', '0x128'],
                                    ['--activation', 'relu'], ['--stride', '0']])
def test_odd_options_are_refused(option, convert, capsys):
    with pytest.raises(SystemExit):
        convert('irra', 'best.pth', 'person', *option)
    assert 'best.pth' not in capsys.readouterr().err.splitlines()[-1]


def test_the_help_names_every_kind(convert, capsys):
    with pytest.raises(SystemExit):
        convert('--help')
    text = capsys.readouterr().out
    for name, kind in KINDS.items():
        assert f'  {name}' in text and kind.serves in text
