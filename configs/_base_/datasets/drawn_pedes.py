"""DrawnPEDES, drawn by mmtbps draw in the layout of CUHK-PEDES."""

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler

from mmtbps.datasets import DrawnPEDES, SeededSampler, UniquePersonBatchSampler, stack_pairs
from mmtbps.evaluation import RankKMetric

with read_base():
    from ..pipelines.drawn import *

train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=SeededSampler, shuffle=True),
    batch_sampler=dict(type=UniquePersonBatchSampler),
    dataset=dict(type=DrawnPEDES, data_root='data/DrawnPEDES', split='train',
                 pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=DrawnPEDES, data_root='data/DrawnPEDES', split='val', test_mode=True,
                 pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=100,
    num_workers=1,
    collate_fn=dict(type=stack_pairs),
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=DrawnPEDES, data_root='data/DrawnPEDES', split='test', test_mode=True,
                 pipeline=test_pipeline),
)
val_evaluator = dict(type=RankKMetric)
test_evaluator = val_evaluator
