"""UP-Person on CUHK-PEDES: CLIP stays as it is; prefixes, low-rank keys and values, adapters."""

from mmengine.config import read_base
from torch.optim import Adam

from mmtbps.datasets.transforms import MaskCaption, PackTextImage
from mmtbps.models import SDMHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
model.peft = dict(prefix=dict(length=10), kv_lora=dict(rank=32), adapter=dict(reduction=8))
model.heads = dict(sdm=dict(type=SDMHead, temperature=0.02))
optim_wrapper.update(
    optimizer=dict(type=Adam, lr=1e-3, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    paramwise_cfg=dict(rules=[dict(contains='neck', frozen=True),
                              dict(contains='bias', weight_decay=0.)]))
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.update(batch_size=128)
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-1],
    dict(type=MaskCaption, prob=0.15, in_place=True),  # as the released code, see the README
    dict(type=PackTextImage),
])
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
auto_scale_lr.update(base_batch_size=128)
