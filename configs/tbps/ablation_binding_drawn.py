"""Ways to attribute binding and short sentences at toy scale: one change an arm, equal steps.

Run by `mmtbps ablation`; `mmtbps binding` and `mmtbps short-sentences` measure the models.
"""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, PermuteColors, ShortenCaption
from mmtbps.models.heads import AttributeHead, PartialCaptionHead, TextNegativesHead
from mmtbps.models.necks import LinearTextNeck

with read_base():
    from .conv_base_drawn import *
    from .._base_.schedules.steps import *

model.heads.pop('partial')
model.heads.pop('attributes')
train_dataloader.dataset.update(pipeline=train_pipeline)
train_cfg.update(max_iters=1200, val_interval=600)
default_hooks.checkpoint.update(interval=600, max_keep_ckpts=1)
drawn_size = 'default'

negatives = {
    'model.heads.negatives': dict(type=TextNegativesHead, temperature=0.05),
    'train_dataloader.dataset.pipeline': [
        *train_pipeline[:-1],
        dict(type=PermuteColors, tokenize=tokenize, count=2),
        dict(type=PackTextImage, input_keys=['negative_input_ids', 'negative_real'])],
}
partial = {
    'model.heads.partial': dict(type=PartialCaptionHead, temperature=0.05),
    'train_dataloader.dataset.pipeline': partial_train_pipeline}
linear_map = {'model.text_neck': dict(type=LinearTextNeck)}
arms = [
    dict(name='baseline'),
    dict(name='permuted colors as negatives', options=negatives),
    dict(name='negatives of the own picture alone', options={
        **negatives, 'model.heads.negatives': dict(
            type=TextNegativesHead, temperature=0.05, among='own')}),
    dict(name='a linear map of text features', options=linear_map),
    dict(name='a linear map, and negatives', options={**negatives, **linear_map}),
    dict(name='captions of every length', options={
        'train_dataloader.dataset.pipeline': [
            *train_pipeline[:-2], dict(type=ShortenCaption, prob=0.5), *train_pipeline[-2:]]}),
    dict(name='parts of captions', options=partial),
    dict(name='parts of captions, and attributes', options={
        **partial, 'model.heads.attributes': dict(type=AttributeHead, in_dims=96)}),
    dict(name='parts of captions that ask by the classifier', options={
        **partial, 'model.heads.attributes': dict(
            type=AttributeHead, in_dims=96, sentence_weight=10.0)}),
    dict(name='parts of captions, and negatives', options={
        **partial, 'model.heads.negatives': negatives['model.heads.negatives'],
        'train_dataloader.dataset.pipeline': [
            *partial_train_pipeline[:-1],
            dict(type=PermuteColors, tokenize=tokenize, count=2),
            dict(type=PackTextImage, input_keys=[
                *partial_keys, 'negative_input_ids', 'negative_real'])]}),
]
