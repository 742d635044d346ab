"""Images and captions of TBPS-CLIP: 224 x 224, two of six augmentations, words left out."""

from mmcv.transforms import RandomChoice, RandomFlip, RandomGrayscale, Resize
from mmpretrain.datasets.transforms import (
    ColorJitter,
    GaussianBlur,
    RandomErasing,
    RandomResizedCrop,
    Rotate,
)

from mmtbps.datasets.transforms import (
    DeleteWords,
    ImageView,
    LoadImageFromFile,
    PackTextImage,
    RandomHue,
    TokenizeCaption,
)

clip_resize = dict(type=Resize, scale=(224, 224), interpolation='bicubic', backend='pillow')
# The text of CLIP_TOKENIZER: a dumped config would have an imported name where the text belongs.
clip_tokenize = dict(type=TokenizeCaption, tokenizer='mmtbps://datasets/transforms/assets/clip',
                     max_length=77, clean='tbps_clip')
# Training resizes by the default of torchvision, testing bicubic.
train_resize = dict(type=Resize, scale=(224, 224), interpolation='bilinear', backend='pillow')
# One of six, some of which act by chance only; it stands twice in a pipeline, so that a draw may
# repeat itself.
augment = dict(type=RandomChoice, transforms=[
    [dict(type=ColorJitter, brightness=0.1, contrast=0.1, saturation=0.1)],
    [dict(type=Rotate, magnitude_range=(0, 15), magnitude_level=1, total_level=1,
          magnitude_std='inf', prob=1.0, pad_val=0)],
    [dict(type=RandomResizedCrop, scale=(224, 224), crop_ratio_range=(0.9, 1.0),
          interpolation='bilinear', backend='pillow')],
    [dict(type=RandomGrayscale, prob=0.1, keep_channels=True,
          channel_weights=(0.114, 0.587, 0.299))],
    [dict(type=RandomFlip, prob=0.5)],
    [dict(type=RandomErasing, erase_prob=0.5, min_area_ratio=0.1, max_area_ratio=0.2,
          aspect_range=(0.3, 3.3), mode='const', fill_color=(0, 0, 0))],
])
simclr = [
    dict(type=RandomResizedCrop, scale=(224, 224), crop_ratio_range=(0.2, 1.0),
         interpolation='bilinear', backend='pillow'),
    dict(type=RandomChoice, transforms=[
        [dict(type=ColorJitter, brightness=0.4, contrast=0.4, saturation=0.4),
         dict(type=RandomHue, hue=0.1)], []],
        prob=[0.8, 0.2]),
    dict(type=RandomGrayscale, prob=0.2, keep_channels=True,
         channel_weights=(0.114, 0.587, 0.299)),
    dict(type=GaussianBlur, magnitude_range=(0.1, 2), magnitude_level=1, total_level=1,
         magnitude_std='inf', prob=0.5),
    dict(type=RandomFlip, prob=0.5),
]

clip_train_pipeline = [
    dict(type=LoadImageFromFile),
    train_resize,
    augment,
    augment,
    dict(type=DeleteWords, prob=0.05),
    clip_tokenize,
    dict(type=PackTextImage),
]
views_train_pipeline = [
    clip_train_pipeline[0],
    # Of the picture as it is: its crops are nearly square there.
    dict(type=ImageView, key='image_2', transforms=simclr),
    dict(type=ImageView, key='image_3', transforms=simclr),
    train_resize,
    dict(type=ImageView, key='second', transforms=[augment, augment]),
    *clip_train_pipeline[2:-1],
    dict(type=PackTextImage, input_keys=['second', 'image_2', 'image_3']),
]
clip_test_pipeline = [
    dict(type=LoadImageFromFile), clip_resize, clip_tokenize, dict(type=PackTextImage)]
