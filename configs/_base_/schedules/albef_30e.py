"""AdamW 1e-4, x2 for layers that read images; 3 epochs of warm-up, cosine; 30 epochs of 4 x 120."""

from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

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
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.98), weight_decay=0.01),
    paramwise_cfg=dict(rules=[
        dict(contains=[*(f'encoder.layer.{i}.' for i in range(6, 12)), 'match_head', 'heads',
                       'neck'], lr_mult=2),
        dict(contains='bias', weight_decay=0.),
        dict(max_ndim=1, weight_decay=0.),
    ]))
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.1, length=1 / 10, convert_to_iter_based=True),
    dict(type=CosineDecayLR, begin=1 / 10, convert_to_iter_based=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=30, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
auto_scale_lr = dict(base_batch_size=480, enable=False)
