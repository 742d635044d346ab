"""BLIP's parts at a small size: every layer of BERT reads captions alone and images too."""

from mmengine.config import read_base

with read_base():
    from ..rasa.rasa_drawn import *

model.text_backbone.update(text_layers=None, depth=3, fusion_token=1023, segments=0)
model.heads.pop('mlm')
train_dataloader.dataset.update(pipeline=train_pipeline)
