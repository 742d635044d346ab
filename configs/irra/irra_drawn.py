"""IRRA's three losses on small towers, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import MaskCaption, PackTextImage
from mmtbps.models import IdentityHead, MLMHead, SDMHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.heads = dict(
    sdm=dict(type=SDMHead, temperature=0.02),
    identity=dict(type=IdentityHead, num_classes=2000, in_dims=96),
    mlm=dict(type=MLMHead, dims=96, num_layers=1, num_heads=4))
train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-1],
    dict(type=MaskCaption, prob=0.15),
    dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels']),
])
