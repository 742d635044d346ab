"""The paper's pipeline at the size of the drawn pedestrians: 64 x 24, pad 2."""

from mmcv.transforms import RandomFlip, Resize
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import (
    ApproximateTextGeneration,
    LoadImageFromFile,
    PackTextImage,
    PartialCaptions,
    TokenizeCaption,
)

resize = dict(type=Resize, scale=(24, 64), interpolation='bicubic', backend='pillow')
tokenize = dict(type=TokenizeCaption, tokenizer='./data/DrawnPEDES/tokenizer', max_length=64)

train_pipeline = [
    dict(type=LoadImageFromFile),
    resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(64, 24), padding=2),
    tokenize,
    dict(type=PackTextImage),
]
partial_keys = ['partial_input_ids', 'partial_facts', 'true_facts', 'false_facts']
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
