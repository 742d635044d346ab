"""The drawn pedestrians as large as they are drawn: 128 x 48, pad 4."""

from mmcv.transforms import RandomFlip, Resize
from mmengine.config import read_base
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import (
    ApproximateTextGeneration,
    LoadImageFromFile,
    PackTextImage,
    PartialCaptions,
)

with read_base():
    from .drawn import *

resize = dict(type=Resize, scale=(48, 128), interpolation='bicubic', backend='pillow')
train_pipeline = [
    dict(type=LoadImageFromFile),
    resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(128, 48), padding=4),
    tokenize,
    dict(type=PackTextImage),
]
partial_train_pipeline = [
    *train_pipeline[:-1],
    dict(type=PartialCaptions, tokenize=tokenize, count=2),
    dict(type=PackTextImage, input_keys=partial_keys),
]
pdg_train_pipeline = [
    *train_pipeline[:-2],
    dict(type=ApproximateTextGeneration, prob=0.5),
    *train_pipeline[-2:],
]
test_pipeline = [dict(type=LoadImageFromFile), resize, tokenize, dict(type=PackTextImage)]
