"""SEN on CUHK-PEDES: gray patches restored by the caption, hardest triplet, SDM, identity."""

from mmengine.config import read_base

from mmtbps.datasets import RandomCountBatchSampler
from mmtbps.datasets.transforms import DeleteWords
from mmtbps.models import HardestTripletHead, IdentityHead, RestorationHead, SDMHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
model.update(heads=dict(
    sdm=dict(type=SDMHead, temperature=0.02),
    identity=dict(type=IdentityHead, num_classes=11003),
    triplet=dict(type=HardestTripletHead, margin=0.05, loss_weight=10.0),
    restoration=dict(type=RestorationHead, patch_size=16, keep_share=0.3, loss_weight=10.0)))
train_dataloader.update(
    batch_size=128, batch_sampler=dict(type=RandomCountBatchSampler, max_instances=2))
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-2], dict(type=DeleteWords, prob=0.05), *clip_train_pipeline[-2:]])
auto_scale_lr.update(base_batch_size=128)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
