"""Images and captions as APTM reads them: bicubic 384 x 128, flip, erasing, words to predict."""

from mmcv.transforms import RandomFlip, Resize

from mmtbps.datasets.transforms import (
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
aptm_mask = dict(type=MaskCaption, tokenizer='./weights/bert-base-uncased', prob=0.25)
aptm_pack = dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels'])

aptm_train_pipeline = [
    dict(type=LoadImageFromFile),
    aptm_resize,
    dict(type=RandomFlip, prob=0.5),
    aptm_erase,
    aptm_tokenize,
    aptm_mask,
    aptm_pack,
]
aptm_test_pipeline = [
    dict(type=LoadImageFromFile), aptm_resize, aptm_tokenize, dict(type=PackTextImage)]
