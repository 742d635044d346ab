"""Proximity data from DrawnPEDES as the paper makes it: a diffusion model edits the garment.

The model is the toy that ships with the package; it knows drawn people only. On two CPU cores.

python tools/draw_dataset.py data/DrawnPEDES
python tools/generate.py plan configs/generation/pdg_drawn.py
python tools/generate.py run configs/generation/pdg_drawn.py
python tools/generate.py merge configs/generation/pdg_drawn.py
"""

from mmtbps.datasets import DrawnPEDES
from mmtbps.generation.editors import P2PEditor
from mmtbps.generation.gates import (
    CaptionGate,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    SanityGate,
)
from mmtbps.generation.inversion import DirectInversion
from mmtbps.generation.planner import ColorSwitchPlanner
from mmtbps.generation.runner import ShardedRunner
from mmtbps.generation.upscalers import ResizeUpscaler

dataset = dict(type=DrawnPEDES, data_root='data/DrawnPEDES')
generation = dict(
    planner=dict(type=ColorSwitchPlanner, edits_per_image=1),
    upscaler=dict(type=ResizeUpscaler, size=(64, 24)),
    editor=dict(
        type=P2PEditor,
        pretrained='./mmtbps/generation/assets/toy',
        size=(64, 24),
        steps=20,
        guidance=5.0,
        inversion=dict(type=DirectInversion),
        cross_replace=0.3,
        self_replace=0.0,
        # Maps of 8 x 3 cells: only the hottest belong to the garment.
        local_blend=dict(threshold=0.95, start=0.2),
        batch_size=32,
        dtype='fp32'),
    gates=[dict(type=CaptionGate), dict(type=EditStrengthGate), dict(type=KeepColorsGate),
           dict(type=LocalityGate), dict(type=MaskGate), dict(type=SanityGate)],
    runner=dict(type=ShardedRunner, out_dir='data/DrawnPEDES-pdg-toy', batch_size=32),
)
