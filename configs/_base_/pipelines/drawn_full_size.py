"""The drawn pedestrians as large as they are drawn, 128 x 48, pad 4; for attributes in captions."""

from mmcv.transforms import RandomFlip, Resize
from mmengine.config import read_base
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import LoadImageFromFile, PackTextImage

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
test_pipeline = [dict(type=LoadImageFromFile), resize, tokenize, dict(type=PackTextImage)]
