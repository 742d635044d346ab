"""IRRA on CUHK-PEDES: similarity distribution matching, identity and masked words, from CLIP."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import MaskCaption, PackTextImage
from mmtbps.models import IdentityHead, MLMHead, SDMHead

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
    mlm=dict(type=MLMHead)))
model.data_preprocessor.update(pad_multiple=77)  # filler takes part in the head of masked words
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-1],
    dict(type=MaskCaption, prob=0.15, in_place=True),  # as the released code, see the README
    dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels']),
])
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
