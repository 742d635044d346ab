"""SEN's losses and batches on small towers, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.datasets import RandomCountBatchSampler
from mmtbps.datasets.transforms import DeleteWords
from mmtbps.models import HardestTripletHead, IdentityHead, RestorationHead, SDMHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.heads = dict(
    sdm=dict(type=SDMHead, temperature=0.02),
    identity=dict(type=IdentityHead, num_classes=2000, in_dims=96),
    triplet=dict(type=HardestTripletHead, margin=0.05, loss_weight=10.0),
    restoration=dict(type=RestorationHead, patch_size=8, stride=6, dims=96, num_layers=1,
                     num_heads=4, loss_weight=10.0))
train_dataloader.update(batch_sampler=dict(type=RandomCountBatchSampler, max_instances=2))
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-2], dict(type=DeleteWords, prob=0.05), *clip_train_pipeline[-2:]])
