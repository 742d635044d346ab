"""Proximity data from DrawnPEDES without any weights: the garment's pixels shifted in Lab.

mmtbps draw data/DrawnPEDES
mmtbps generate plan configs/generation/pdg_recolor.py
mmtbps generate run configs/generation/pdg_recolor.py
mmtbps generate merge configs/generation/pdg_recolor.py
"""

from mmtbps.datasets import DrawnPEDES
from mmtbps.generation import (
    CaptionGate,
    ColorSwitchPlanner,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    RecolorEditor,
    ResizeUpscaler,
    SanityGate,
    ShardedRunner,
)

dataset = dict(type=DrawnPEDES, data_root='data/DrawnPEDES')
generation = dict(
    planner=dict(type=ColorSwitchPlanner, edits_per_image=1),
    upscaler=dict(type=ResizeUpscaler, size=(128, 48)),
    editor=dict(type=RecolorEditor),
    gates=[dict(type=CaptionGate), dict(type=EditStrengthGate), dict(type=KeepColorsGate),
           dict(type=LocalityGate), dict(type=MaskGate), dict(type=SanityGate)],
    runner=dict(type=ShardedRunner, out_dir='data/DrawnPEDES-pdg', batch_size=32),
)
