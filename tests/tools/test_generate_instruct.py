"""The command line of generation with editors by instruction: tiny models of the real classes."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image
from tiny_editors import tiny_kontext, tiny_qwen, without_weight

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/generation'
TOOL = 'tools/generate.py'
#: Passes of the denoiser for an image in two steps; Qwen's have a second one for guidance.
PASSES = {'instruct_kontext': 2, 'instruct_qwen': 4}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Save a tiny model for a preset; the processor of Qwen cannot be read without torchvision."""
    def save(preset):
        folder = tmp_path / 'model'
        with without_weight():
            if preset == 'instruct_kontext':
                tiny_kontext(tmp_path / 'tokenizer').save_pretrained(folder)
                return folder
            pipe = tiny_qwen()
            pipe.transformer.save_pretrained(folder / 'transformer')
        monkeypatch.setattr('mmtbps.generation.editing.instruct_families.find_spec', bool)
        monkeypatch.setattr('mmtbps.generation.editing.instruct.load_pipeline',
                            lambda name, source, dtype, **_: pipe)
        return folder
    return save


@pytest.mark.slow
@pytest.mark.parametrize('preset', PASSES)
def test_a_preset_edits_from_plan_to_report(preset, models, tool, micro_set, tmp_path, capsys):
    cfg = Config.fromfile(CONFIGS / f'{preset}.py')
    cfg.dataset = dict(type='mmtbps.DrawnPEDES', data_root=str(micro_set))
    parts = cfg.generation
    parts.planner.max_edits = 4
    parts.upscaler = dict(type='ResizeUpscaler', size=(96, 32))
    parts.editor.update(pretrained=str(models(preset)), weights=dict(dtype='fp32'))
    parts.editor.sampling.update(size=(192, 64), steps=2)
    parts.runner.update(out_dir=str(tmp_path / 'pdg'), num_controls=(0, 0.), batch_size=2)
    cfg.dump(tmp_path / 'mine.py')
    for command in ('plan', 'run', 'report'):
        tool.main([command, str(tmp_path / 'mine.py')])
    said = capsys.readouterr().out
    assert '4 edits of 4 images' in said and '4 jobs: ' in said and ' 0 failed' in said
    part, = (tmp_path / 'pdg').glob('part-*.jsonl')
    rows = [json.loads(line) for line in part.read_text().splitlines()]
    assert len(rows) == 4
    for row in rows:
        assert row['cost']['unet_evals'] == PASSES[preset]
        with Image.open(tmp_path / 'pdg' / row['output']['file']) as image:
            assert image.size == (32, 96)  # its own aspect, whatever the model works at
    assert (tmp_path / 'pdg/report.html').stat().st_size > 4_000
