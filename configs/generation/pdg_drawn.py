"""Proximity data from DrawnPEDES as the paper makes it: a diffusion model edits the garment.

The model is the toy that ships with the package; it knows drawn people only. On two CPU cores.

mmtbps draw data/DrawnPEDES
mmtbps generate plan configs/generation/pdg_drawn.py
mmtbps generate run configs/generation/pdg_drawn.py
mmtbps generate merge configs/generation/pdg_drawn.py
"""

from mmengine.config import read_base

from mmtbps.generation import DirectInversion, P2PEditor

with read_base():
    from .pdg_recolor import *

generation['planner'].update(edits_per_image=2)
generation['upscaler'].update(size=(64, 24))
generation.update(
    # So small a model leaves garments half dyed; two tries an image make up for what is refused.
    gates=[dict(type=CaptionGate), dict(type=EditStrengthGate, low=0.5), *generation['gates'][2:]],
    editor=dict(
        type=P2PEditor,
        pretrained='mmtbps://generation/assets/toy',
        weights=dict(dtype='fp32'),
        sampling=dict(size=(64, 24), steps=20, guidance=7.0, inversion=dict(type=DirectInversion)),
        attention=dict(cross_replace=0.3, self_replace=0.0),
        local_blend=dict(threshold=0.2, start=None, coarse=True),
        paste_back=25.0,
        batch_size=32))
generation['runner'].update(out_dir='data/DrawnPEDES-pdg-toy')
