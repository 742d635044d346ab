"""The type of the weights from the command line, in the configs as they ship."""

from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config

from mmtbps.commands import generate
from mmtbps.commands.main import run_command
from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

main = partial(run_command, 'generate')

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/generation'


@pytest.mark.parametrize('name', ['pdg_fast', 'pdg_official', 'pdg_drawn', 'instruct_kontext',
                                  'instruct_pix2pix'])
def test_the_option_counts_more_than_the_config(name, monkeypatch):
    monkeypatch.setattr('mmtbps.generation.editing.instruct_families.find_spec', lambda name: name)
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    generate.set_dtype(cfg, 'fp16')
    editor, upscaler = (TASK_UTILS.build(cfg.generation[part]) for part in ('editor', 'upscaler'))
    assert editor.weights.dtype == editor.digest_fields['dtype'] == 'fp16'
    assert getattr(upscaler, 'dtype', 'fp16') == 'fp16'


@pytest.mark.parametrize('name', ['pdg_recolor', 'retell_rules'])
def test_without_weights_there_is_no_type_of_them(name):
    with pytest.raises(BadValue, match='--dtype is of diffusion models, and neither'):
        generate.set_dtype(Config.fromfile(CONFIGS / f'{name}.py'), 'fp16')


def test_the_command_refuses_it_before_anything_is_made(micro_set, tmp_path, refused):
    def call(command, *options):
        main([command, str(CONFIGS / 'pdg_recolor.py'), *options, '--cfg-options',
              f'dataset.data_root={micro_set}', f'generation.runner.out_dir={tmp_path}'])

    for command in ('run', 'all'):
        with refused('--dtype is of diffusion models'):
            call(command, '--dtype', 'fp32')
    assert not any(tmp_path.iterdir())
