"""The paper's image pipeline (384 x 128, pad 10, crop, flip) and 64 tokens."""

from mmcv.transforms import RandomFlip, Resize
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import (
    ApproximateTextGeneration,
    LoadImageFromFile,
    PackTextImage,
    TokenizeCaption,
)

# Bicubic as torchvision does it on PIL images, that is with antialiasing.
resize = dict(type=Resize, scale=(128, 384), interpolation='bicubic', backend='pillow')
tokenize = dict(type=TokenizeCaption, tokenizer='./weights/bert-base-uncased', max_length=64)

train_pipeline = [
    dict(type=LoadImageFromFile),
    resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(384, 128), padding=10),
    tokenize,
    dict(type=PackTextImage),
]
pdg_train_pipeline = [
    *train_pipeline[:-2],
    dict(type=ApproximateTextGeneration, prob=0.5),
    *train_pipeline[-2:],
]
test_pipeline = [dict(type=LoadImageFromFile), resize, tokenize, dict(type=PackTextImage)]
