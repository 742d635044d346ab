"""Images and captions as RaSa reads them: bicubic 384 x 384, flip, 50 tokens, words to predict."""

from mmcv.transforms import RandomFlip, Resize

from mmtbps.datasets.transforms import (
    LoadImageFromFile,
    MaskCaption,
    PackTextImage,
    TokenizeCaption,
)

albef_resize = dict(type=Resize, scale=(384, 384), interpolation='bicubic', backend='pillow')
albef_tokenize = dict(type=TokenizeCaption, tokenizer='./weights/bert-base-uncased', max_length=50,
                      clean='rasa')
albef_mask = dict(type=MaskCaption, tokenizer='./weights/bert-base-uncased', prob=0.15)

albef_train_pipeline = [
    dict(type=LoadImageFromFile),
    albef_resize,
    dict(type=RandomFlip, prob=0.5),
    albef_tokenize,
    albef_mask,
    dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels']),
]
albef_test_pipeline = [
    dict(type=LoadImageFromFile), albef_resize, albef_tokenize, dict(type=PackTextImage)]
