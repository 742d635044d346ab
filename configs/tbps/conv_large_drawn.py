"""Convolutional towers on DrawnPEDES, 20 epochs, with wrong colours as negatives."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, PermuteColors
from mmtbps.models.heads import TextNegativesHead

with read_base():
    from .conv_base_drawn import *

model.heads.update(negatives=dict(type=TextNegativesHead, temperature=0.05))
train_dataloader.dataset.update(pipeline=[
    *partial_train_pipeline[:-1],
    dict(type=PermuteColors, tokenize=tokenize, count=2, replaced=True),
    dict(type=PackTextImage, input_keys=[*partial_keys, 'negative_input_ids', 'negative_real'])])
train_cfg.update(max_epochs=20)
