"""Adam 1e-4, 10 epochs of warm-up, x0.1 every 20 epochs, 70 epochs, batch 256 in all."""

from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

from mmtbps.engine import MixedPrecisionOptimWrapper, StepDecayLR, WarmUpLR

optim_wrapper = dict(
    type=MixedPrecisionOptimWrapper,
    dtype='float16',
    optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, fused=True))
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.1, length=1 / 7, by_epoch=True),
    dict(type=StepDecayLR, milestones=[2 / 7, 4 / 7, 6 / 7], gamma=0.1, by_epoch=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=70, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
auto_scale_lr = dict(base_batch_size=256, enable=False)
