"""Captions of DrawnPEDES told anew by rules: no model, no image editor.

mmtbps draw data/DrawnPEDES
mmtbps generate all configs/generation/retell_rules.py
"""

from mmtbps.datasets import DrawnPEDES
from mmtbps.generation import RetellPlanner, RetellRunner
from mmtbps.generation.rewriting import RuleRewriter

dataset = dict(type=DrawnPEDES, data_root='data/DrawnPEDES')
generation = dict(
    planner=dict(type=RetellPlanner),
    rewriter=dict(type=RuleRewriter),
    runner=dict(type=RetellRunner, out_dir='data/DrawnPEDES-retold', batch_size=256),
)
