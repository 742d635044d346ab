"""Editors by instruction through the command line, with tiny random pipelines of diffusers."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from tiny_editors import tiny_kontext, tiny_qwen, without_weight

from mmtbps.commands.main import run_command
from mmtbps.generation.runs import read_run
from mmtbps.generation.runs.manifest import read_records

main = partial(run_command, 'generate')

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
BUILD = dict(kontext=tiny_kontext, qwen=lambda _: tiny_qwen())


def write_config(folder, preset, micro_set, model, **editor):
    """Write a config with the parts of a preset, sized for drawn people and a tiny model."""
    settings = Config.fromfile(ROOT / f'configs/generation/instruct_{preset}.py').generation
    asked = {key: value for key, value in settings.editor.to_dict().items() if key != 'type'}
    asked.update(pretrained=str(model), batch_size=2, weights=dict(dtype='fp32', device='cpu'),
                 sampling=dict(size=(96, 32), steps=2, guidance=3.), **editor)
    gates = [f"dict(type='mmtbps.{gate.type.__name__}')" for gate in settings.gates]
    (folder / 'config.py').write_text(f'''
dataset = dict(type='mmtbps.DrawnPEDES', data_root={str(micro_set)!r})
generation = dict(
    planner=dict(type='mmtbps.ColorSwitchPlanner', max_edits=6),
    upscaler=dict(type='mmtbps.ResizeUpscaler', size=(96, 32)),
    editor=dict(type='mmtbps.InstructEditor', **{asked!r}),
    gates=[{", ".join(gates)}],
    runner=dict(type='mmtbps.ShardedRunner', out_dir={str(folder / "pdg")!r}, batch_size=4))
''')
    return str(folder / 'config.py')


@pytest.mark.parametrize('preset', BUILD)
def test_a_run_by_instruction_from_plan_to_report(preset, micro_set, tmp_path, monkeypatch,
                                                  capsys, refused):
    pipe = BUILD[preset](tmp_path / 'tokenizer')
    if preset == 'qwen' and not find_spec('torchvision'):
        # Its processor cannot be read from a folder then: the pipeline stands for the loaded one.
        monkeypatch.setattr('mmtbps.generation.editing.instruct_families.find_spec', lambda n: n)
        monkeypatch.setattr('mmtbps.generation.editing.instruct.load_pipeline',
                            lambda *_, **__: pipe)
        (tmp_path / 'model').mkdir()
    else:
        pipe.save_pretrained(tmp_path / 'model')
    config = write_config(tmp_path, preset, micro_set, tmp_path / 'model')
    with without_weight():
        for command in ('plan', 'run', 'report'):
            main([command, config])
    assert '0 failed' in capsys.readouterr().out
    records, out = list(read_records(tmp_path / 'pdg')), tmp_path / 'pdg'
    assert len(records) == 6 and (out / 'report.html').stat().st_size > 10_000
    engine = read_run(out)['settings']['editor']
    assert engine['pipeline'] == type(pipe).__name__ and 'batch_size' not in engine
    for record in records:
        assert record.cost['unet_evals'] == 2 * (2 if preset == 'qwen' else 1)
        assert np.asarray(Image.open(out / record.output['file'])).shape == (96, 32, 3)
        assert 0 <= record.gates['mask']['value'] <= 1   # not NaN: there is a mask
    write_config(tmp_path, preset, micro_set, tmp_path / 'model', change_tolerance=3.)
    with refused('change_tolerance'):
        main(['run', config])
