"""Convolutional towers with wider features on many drawn people, with wrong colours as negatives.

What people carry is small in a picture and seldom said: parts of captions ask for it more often,
and weigh more. Meant for 8,000 people, `mmtbps draw data/DrawnPEDES --people 8000 100 200`; fewer
are seen more often.
"""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, PartialCaptions, PermuteColors
from mmtbps.models.heads import TextNegativesHead

with read_base():
    from .conv_base_drawn import *
    from .._base_.schedules.steps import *

model.data_preprocessor.update(batch_augments=[])  # what is erased may be a bag
model.image_backbone.update(out_dims=256, residual=True)
model.text_backbone.update(out_dims=256)
model.heads.attributes.update(in_dims=256, sentence_weight=10.0)
model.heads.partial.update(loss_weight=3.0)
model.heads.update(negatives=dict(type=TextNegativesHead, temperature=0.05))
train_dataloader.dataset.update(pipeline=[
    *train_pipeline[:-1],
    dict(type=PartialCaptions, tokenize=tokenize, count=3, seldom_said=3.0),
    dict(type=PermuteColors, tokenize=tokenize, count=1, replaced=1),
    dict(type=PackTextImage, input_keys=[*partial_keys, 'negative_input_ids', 'negative_real'])])
train_cfg.update(max_iters=2150, val_interval=1075)
default_hooks.checkpoint.update(interval=1075)
