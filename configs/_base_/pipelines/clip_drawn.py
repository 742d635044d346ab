"""Drawn pedestrians at 64 x 24, with CLIP's tokens."""

from mmcv.transforms import RandomFlip, Resize
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import LoadImageFromFile, PackTextImage, TokenizeCaption

clip_resize = dict(type=Resize, scale=(24, 64), interpolation='bilinear', backend='pillow')
# The text of CLIP_TOKENIZER: a dumped config would have an imported name where the text belongs.
clip_tokenize = dict(type=TokenizeCaption, tokenizer='mmtbps://datasets/transforms/assets/clip',
                     max_length=77, clean='clip')

clip_train_pipeline = [
    dict(type=LoadImageFromFile),
    clip_resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(64, 24), padding=2),
    clip_tokenize,
    dict(type=PackTextImage),
]
clip_test_pipeline = [
    dict(type=LoadImageFromFile), clip_resize, clip_tokenize, dict(type=PackTextImage)]
