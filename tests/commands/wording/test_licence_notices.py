"""Licence notices of commands: each says it once, on standard error."""

from pathlib import Path

import pytest
import torch
from pretrained_models import save_tiny
from published_checkpoints import clip_state

from mmtbps.catalog import kind_notice
from mmtbps.commands.main import run_command
from mmtbps.commands.wording.licence_notice import print_notice

ROOT = Path(__file__).resolve().parents[3]
CONFIG = str(ROOT / 'configs/tbps/vit_bert_base_drawn.py')
TEXT = 'a man in a red coat'

pytest_plugins = 'named_model_fixtures'  # `crops`


@pytest.fixture
def restricted(tmp_path, monkeypatch):
    """A name of a model whose family is restricted, in another working directory."""
    monkeypatch.chdir(tmp_path)
    (folder := tmp_path / 'metaclip').mkdir()
    return f'hf:{save_tiny(folder, "clip")}'


def test_every_command_says_the_licence_once(restricted, crops, micro_set, monkeypatch,
                                             capsys):
    monkeypatch.setattr('mmtbps.search.webui.serve', lambda *words: None)

    def data(run):  # MMEngine names what is global by the second; two runs may be in one
        return ['--work-dir', 'work', '--cfg-options', f'experiment_name=licence_of_{run}',
                'test_dataloader.num_workers=0', f'test_dataloader.dataset.data_root={micro_set}']

    for command, words in (
            ('index', ['people', str(crops), '--model', restricted, '--quiet']),
            ('query', ['people', TEXT]), ('serve', ['people']),
            ('extract-features', ['--model', restricted, str(crops), 'features']),
            ('test', [CONFIG, '--model', restricted, *data('test')]),
            ('visualize', ['failures', CONFIG, '--model', restricted, '--out-dir', 'failures',
                           '--worst', '1', '--topk', '2', *data('failures')])):
        print_notice.cache_clear()
        capsys.readouterr()
        run_command(command, words)
        said = [line for line in capsys.readouterr().err.splitlines()
                if line.startswith('licence: ')]
        assert said == [f'licence: {restricted}: its weights are under CC BY-NC 4.0, which forbids '
                        'commercial use'], command


def test_an_export_says_the_licence(restricted, monkeypatch, capsys):
    monkeypatch.setattr('mmtbps.commands.export.export_encoder',
                        lambda *_: dict(files={}, check={}))
    print_notice.cache_clear()
    run_command('export', ['--model', restricted, 'exported'])
    assert capsys.readouterr().err.count('licence: ') == 1


@pytest.fixture
def convert(tmp_path, capsys):
    """Convert a state; gives standard error."""
    def run(kind, state, name, target, *words):
        torch.save(state, tmp_path / name)
        print_notice.cache_clear()
        run_command('convert', [kind, str(tmp_path / name), str(tmp_path / target), *words])
        return capsys.readouterr().err
    return run


def test_a_converted_person_model_brings_its_notice(convert, tmp_path):
    state = dict(model=clip_state(25, 'base_model.visual.', 'base_model.'))
    said = convert('irra', state, 'best0.pth', 'person', '--image-size', '128x48')
    assert said.count(f'licence: {kind_notice("irra")}') == 1
    card = (tmp_path / 'person/README.md').read_text(encoding='utf-8')
    assert f'\nLicence: {kind_notice("irra")}.\n' in card


def test_a_free_model_brings_none(convert, tmp_path):
    assert 'licence: ' not in convert('openai_clip', clip_state(17), 'ViT-B-16.pt', 'clip')
    assert 'Licence:' not in (tmp_path / 'clip/README.md').read_text(encoding='utf-8')
    assert convert('open_clip', clip_state(17), 'metaclip.bin', 'meta.pth', '--activation',
                   'quick_gelu').count('CC BY-NC 4.0') == 1
