"""The pipelines of the drawn pedestrians as large as they are drawn: 128 x 48, pad 4."""

from mmcv.transforms import RandomFlip, Resize
from mmengine.config import read_base
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import LoadImageFromFile

with read_base():
    from .drawn import *

resize = dict(type=Resize, scale=(48, 128), interpolation='bicubic', backend='pillow')
image_steps = [
    dict(type=LoadImageFromFile),
    resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(128, 48), padding=4),
]
train_pipeline = [*image_steps, *train_pipeline[4:]]
partial_train_pipeline = [*image_steps, *partial_train_pipeline[4:]]
pdg_train_pipeline = [*image_steps, *pdg_train_pipeline[4:]]
test_pipeline = [*image_steps[:2], *test_pipeline[2:]]
