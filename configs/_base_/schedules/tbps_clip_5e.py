"""AdamW 1e-4 with one epoch of warm-up and a cosine to 5e-6: 5 epochs of 4 x 80 pairs."""

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
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.02),
    paramwise_cfg=dict(rules=[
        dict(max_ndim=1, weight_decay=0.),
        dict(contains=['bias', 'ln', 'bn'], weight_decay=0.),
        dict(contains='conv1', frozen=True),
    ]))
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.01, length=1 / 5, convert_to_iter_based=True),
    dict(type=CosineDecayLR, begin=1 / 5, eta_min=5e-6, convert_to_iter_based=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=5, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
auto_scale_lr = dict(base_batch_size=320, enable=False)
