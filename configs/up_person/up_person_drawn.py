"""UP-Person's parts on small towers on DrawnPEDES; random towers unless it loads some."""

from mmengine.config import read_base

from mmtbps.engine import ParameterRulesConstructor
from mmtbps.models import SDMHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.peft = dict(prefix=dict(length=10), kv_lora=dict(rank=8), adapter=dict(reduction=4))
model.heads = dict(sdm=dict(type=SDMHead, temperature=0.02))
optim_wrapper.update(constructor=ParameterRulesConstructor)
optim_wrapper.paramwise_cfg = dict(rules=[dict(contains='neck', frozen=True),
                                          dict(contains='bias', weight_decay=0.)])
train_dataloader.pop('batch_sampler')
