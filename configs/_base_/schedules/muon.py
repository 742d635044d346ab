"""Muon 6e-3 for the weight matrices of the towers, AdamW for the rest.

Stands behind the other parts, in place of the optimizer of a schedule.
"""

from mmengine.optim import OptimWrapper

from mmtbps.engine import MuonAdamW, MuonConstructor

optim_wrapper = dict(
    type=OptimWrapper,
    constructor=MuonConstructor,
    optimizer=dict(type=MuonAdamW, lr=6e-3, betas=(0.9, 0.98), weight_decay=0.02, fused=True,
                   newton_schulz_steps=4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0))
