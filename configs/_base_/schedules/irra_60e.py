"""Adam 1e-5 with eps 1e-3, faster new modules; 5 epochs of warm-up, cosine; 60 epochs, batch 64."""

from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

from mmtbps.engine import (
    CosineDecayLR,
    MixedPrecisionOptimWrapper,
    ParameterRulesConstructor,
    WarmUpLR,
)

optim_wrapper = dict(
    type=MixedPrecisionOptimWrapper,
    dtype='float16',
    constructor=ParameterRulesConstructor,
    optimizer=dict(type=Adam, lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    paramwise_cfg=dict(rules=[
        dict(contains='cross', lr_mult=5),
        dict(contains='bias', lr_mult=2, weight_decay=0.),
        dict(contains=['classifier', 'mlm_head'], lr_mult=5),
    ]))
# Epoch e has the factor .1 + .9 e / 5 up to e = 5, then (1 + cos(pi (e - 5) / 55)) / 2.
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.1, length=1 / 10, by_epoch=True),
    dict(type=CosineDecayLR, begin=1 / 12, by_epoch=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=60, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
auto_scale_lr = dict(base_batch_size=64, enable=False)
