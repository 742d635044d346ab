"""The recipe of vit_bert_pdg_cuhk on one modern GPU, with all that makes it fast switched on."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import (
    ApproximateTextGeneration,
    LoadImageFromFile,
    PackTextImage,
)
from mmtbps.engine import CompileHook
from mmtbps.models import BatchRandomCrop, BatchRandomFlip

with read_base():
    from .vit_bert_pdg_cuhk import *

optim_wrapper.update(dtype='bfloat16')
custom_hooks = [*custom_hooks, dict(type=CompileHook, backend='inductor')]
# Flip and crop of the pipeline, on the device.
model.data_preprocessor.update(batch_augments=[
    dict(type=BatchRandomFlip, prob=0.5),
    dict(type=BatchRandomCrop, padding=10),
])
train_dataloader.dataset.update(pipeline=[
    dict(type=LoadImageFromFile),
    resize,
    dict(type=ApproximateTextGeneration, prob=0.5),
    tokenize,
    dict(type=PackTextImage),
])
# The paper's 256 pairs in one process. Where they do not fit, or for more of them, encode them in
# chunks: model.update(chunk_size=64) has the same gradients for a second forward pass.
train_dataloader.update(batch_size=256, num_workers=16, persistent_workers=True)
# The learning rate belongs to 256 pairs in a step. With more GPUs or a larger batch MMEngine
# multiplies it by pairs / 256; whether that suits this recipe has not been measured.
auto_scale_lr.update(enable=True)
