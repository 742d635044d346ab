"""RDE's loss, token selection and division of pairs on small towers, on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import CorruptCaption
from mmtbps.engine import ConsensusDivisionHook
from mmtbps.models import TALHead, TokenSelectionNeck

with read_base():
    from ..clip.clip_b16_itc_drawn import *

neck = dict(type=TokenSelectionNeck, out_dims=96, selection_dims=192)
model.update(image_neck=dict(neck, side='image'), text_neck=dict(neck, side='text'))
model.heads = dict(bge=dict(type=TALHead), tse=dict(type=TALHead, part='tse'))
custom_hooks = [*custom_hooks, dict(type=ConsensusDivisionHook)]
train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-1],
    dict(type=CorruptCaption, prob=0.2),
    clip_train_pipeline[-1],
])
