"""BLIP on CUHK-PEDES: contrastive and matching losses, from its training for retrieval."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, TokenizeCaption

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.albef import *
    from .._base_.pipelines.albef import *
    from .._base_.runtime import *
    from .._base_.schedules.albef_30e import *

load_from = './weights/blip_base_retrieval_coco.pth'
model.text_backbone.update(text_layers=None, fusion_token=30523, vocab_size=30524, segments=0)
model.heads.pop('mlm')
optim_wrapper.optimizer.update(lr=1e-5)
optim_wrapper.paramwise_cfg.rules[0].update(contains=['heads', 'neck', 'match_head'])
read_words = [
    dict(type=TokenizeCaption, tokenizer='./weights/bert-base-uncased', max_length=73,
         clean='blip'),
    dict(type=PackTextImage)]
train_dataloader.update(batch_size=16)
train_dataloader.pop('batch_sampler')  # pairs of one person are positives of each other
train_dataloader.dataset.update(pipeline=[*albef_train_pipeline[:3], *read_words])
val_dataloader.dataset.update(pipeline=[*albef_test_pipeline[:2], *read_words])
test_dataloader.dataset.update(pipeline=[*albef_test_pipeline[:2], *read_words])
