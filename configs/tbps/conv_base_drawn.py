"""Convolutional towers on DrawnPEDES, short sentences and attributes; what `make demo` trains."""

from mmengine.config import read_base

from mmtbps.models.heads import AttributeHead, PartialCaptionHead

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.conv_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.muon import *

model.heads.update(partial=dict(type=PartialCaptionHead, temperature=0.05),
                   attributes=dict(type=AttributeHead, in_dims=96, sentence_weight=5.0))
train_dataloader.dataset.update(pipeline=partial_train_pipeline)
train_dataloader.update(persistent_workers=True)
