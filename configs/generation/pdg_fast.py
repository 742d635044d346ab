"""Proximity pairs at a fraction of the published cost: 80 passes of the UNet for an image.

Direct inversion, 20 steps at the shape of a person (640 x 256), bfloat16, the background held to
the source by LocalBlend.
"""

from mmtbps.generation import (
    CaptionGate,
    ColorSwitchPlanner,
    DirectInversion,
    EditStrengthGate,
    KeepColorsGate,
    LDMUpscaler,
    LocalityGate,
    MaskGate,
    P2PEditor,
    SanityGate,
    ShardedRunner,
)

default_scope = 'mmtbps'
diffusion = 'stable-diffusion-v1-5/stable-diffusion-v1-5'
generation = dict(
    planner=dict(type=ColorSwitchPlanner, mode='lexicon', edits_per_image=1, tokenizer=diffusion,
                 max_tokens=77),
    upscaler=dict(type=LDMUpscaler, pretrained='CompVis/ldm-super-resolution-4x-openimages',
                  size=(640, 256), steps=50, eta=0.0),
    editor=dict(
        type=P2PEditor, pretrained=diffusion, weights=dict(dtype='bf16'),
        sampling=dict(size=(640, 256), steps=20, guidance=5.0,
                      inversion=dict(type=DirectInversion)),
        attention=dict(cross_replace=0.8, self_replace=0.4, reweight=1.0),
        local_blend=dict(threshold=0.3, start=0.2), batch_size=16),
    gates=[dict(type=CaptionGate), dict(type=EditStrengthGate), dict(type=LocalityGate),
           dict(type=KeepColorsGate), dict(type=SanityGate), dict(type=MaskGate)],
    runner=dict(type=ShardedRunner, out_dir='work_dirs/pdg_fast', batch_size=16),
)
