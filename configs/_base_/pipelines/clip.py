"""Images and captions as IRRA and RDE read them: bilinear 384 x 128, erasing, 77 tokens of CLIP."""

from mmcv.transforms import RandomFlip, Resize
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import (
    EraseRectangle,
    LoadImageFromFile,
    PackTextImage,
    TokenizeCaption,
)

clip_resize = dict(type=Resize, scale=(128, 384), interpolation='bilinear', backend='pillow')
# The text of CLIP_TOKENIZER: a dumped config would have an imported name where the text belongs.
clip_tokenize = dict(type=TokenizeCaption, tokenizer='mmtbps://datasets/transforms/assets/clip',
                     max_length=77, clean='clip')
# Published code erases after normalising and fills with the mean of the pixels as they were before:
# mean * (1 + std) of 0-1, here in the loader's BGR and 0-255.
erase = dict(type=EraseRectangle, prob=0.5, area=(0.02, 0.4), ratio=(0.3, 3.3),
             fill=(132.8, 147.3, 155.7))

clip_train_pipeline = [
    dict(type=LoadImageFromFile),
    clip_resize,
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=(384, 128), padding=10),
    erase,
    clip_tokenize,
    dict(type=PackTextImage),
]
clip_test_pipeline = [
    dict(type=LoadImageFromFile), clip_resize, clip_tokenize, dict(type=PackTextImage)]
