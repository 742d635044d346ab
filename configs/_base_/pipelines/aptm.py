"""Images and captions as APTM reads them: bicubic 384 x 128, RandAugment, erasing, two wordings."""

from mmcv.transforms import RandomFlip, Resize
from mmpretrain.datasets.transforms import RandAugment

from mmtbps.datasets.transforms import (
    CaptionView,
    EasyDataAugmentation,
    EraseRectangle,
    LoadImageFromFile,
    MaskCaption,
    PackTextImage,
    TokenizeCaption,
)

aptm_resize = dict(type=Resize, scale=(128, 384), interpolation='bicubic', backend='pillow')
aptm_tokenize = dict(type=TokenizeCaption, tokenizer='./weights/bert-base-uncased', max_length=56)
# Published code erases after normalising, with 0: the mean of the pixels, here in the loader's BGR.
aptm_erase = dict(type=EraseRectangle, prob=0.6, area=(0.02, 0.4), ratio=(0.3, 3.3),
                   fill=(88.8, 93.1, 99.2))
# Published: these operations, two of them for an image, at level 7 of 10. Their ranges, and that
# each is left out half of the time, are those usual with ALBEF; 10 pixels is the furthest move.
aptm_augment = dict(type=RandAugment, num_policies=2, magnitude_level=7, policies=[
    dict(type='Rotate', angle=0, prob=0.0),  # the identity
    dict(type='AutoContrast'),
    dict(type='Equalize'),
    dict(type='Brightness', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Sharpness', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Shear', magnitude_range=(0, 0.3), direction='horizontal'),
    dict(type='Shear', magnitude_range=(0, 0.3), direction='vertical'),
    dict(type='Translate', magnitude_range=(0, 10 / 128), direction='horizontal'),
    dict(type='Translate', magnitude_range=(0, 10 / 384), direction='vertical'),
    dict(type='Rotate', magnitude_range=(0, 30)),
])
aptm_reword = dict(type=CaptionView, key='input_ids_2', transforms=[
    dict(type=EasyDataAugmentation), aptm_tokenize])
aptm_mask = dict(type=MaskCaption, tokenizer='./weights/bert-base-uncased', prob=0.25)
aptm_pack = dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels', 'input_ids_2'])

aptm_train_pipeline = [
    dict(type=LoadImageFromFile),
    aptm_resize,
    dict(type=RandomFlip, prob=0.5),
    aptm_augment,
    aptm_erase,
    aptm_reword,
    aptm_tokenize,
    aptm_mask,
    aptm_pack,
]
aptm_test_pipeline = [
    dict(type=LoadImageFromFile), aptm_resize, aptm_tokenize, dict(type=PackTextImage)]
