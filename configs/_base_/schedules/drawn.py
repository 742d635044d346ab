"""AdamW 1e-3 with warm-up and cosine: minutes on two CPU cores, from random weights."""

from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from mmtbps.engine import CosineDecayLR, MergedGroupsConstructor, WarmUpLR

optim_wrapper = dict(
    type=OptimWrapper,
    constructor=MergedGroupsConstructor,
    optimizer=dict(type=AdamW, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02, fused=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.01, length=1 / 12, convert_to_iter_based=True),
    dict(type=CosineDecayLR, begin=1 / 12, convert_to_iter_based=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=12, val_interval=4)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
auto_scale_lr = dict(base_batch_size=64, enable=False)
