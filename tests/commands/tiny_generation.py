"""Configs of generation with tiny random models in the place of those that a preset names."""

from pathlib import Path

from mmengine.config import Config
from tiny_editors import tiny_kontext
from tiny_vlm import save_vision, save_vlm

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/generation'


def tiny_preset(preset, folder, micro_set, out, max_edits, batches):
    """Read a preset that edits by instruction, sized for drawn people; its bounds pass all."""
    tiny_kontext(folder / 'tokenizer').save_pretrained(folder / 'kontext')
    save_vision(folder / 'vision')
    save_vlm(folder / 'vlm')
    cfg = Config.fromfile(CONFIGS / f'{preset}.py')
    settings = cfg.generation
    settings.planner.update(max_edits=max_edits)
    settings.upscaler = dict(type='mmtbps.ResizeUpscaler', size=(96, 32))
    settings.editor.update(pretrained=str(folder / 'kontext'), batch_size=batches[0],
                           weights=dict(dtype='fp32', device='cpu'),
                           sampling=dict(size=(96, 32), steps=2, guidance=3.))
    for gate in settings.gates:
        if 'scorer' in gate:
            gate.update(low=-9.)
            gate.scorer.update(pretrained=str(
                folder / ('vision' if 'Feature' in str(gate.scorer.type) else 'vlm')))
    settings.runner.update(out_dir=str(folder / out), batch_size=batches[1])
    cfg.dataset = dict(type='mmtbps.DrawnPEDES', data_root=str(micro_set))
    return cfg
