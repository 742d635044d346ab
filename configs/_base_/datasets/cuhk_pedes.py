"""CUHK-PEDES in its public layout under data/CUHK-PEDES; see docs/guides/prepare_data.md."""

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler

from mmtbps.datasets import CUHKPEDES, SeededSampler, UniquePersonBatchSampler, stack_pairs
from mmtbps.evaluation import RankKMetric

with read_base():
    from ..pipelines.paper import *

train_dataloader = dict(
    batch_size=64,  # 4 GPUs: the paper's 256
    num_workers=8,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=SeededSampler, shuffle=True),
    batch_sampler=dict(type=UniquePersonBatchSampler),
    dataset=dict(type=CUHKPEDES, data_root='data/CUHK-PEDES', split='train',
                 pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=CUHKPEDES, data_root='data/CUHK-PEDES', split='val', test_mode=True,
                 pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=8,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=CUHKPEDES, data_root='data/CUHK-PEDES', split='test', test_mode=True,
                 pipeline=test_pipeline),
)
val_evaluator = dict(type=RankKMetric)
test_evaluator = val_evaluator
