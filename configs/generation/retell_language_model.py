"""Captions told anew by a language model. Inherit it, and name a data set of your own.

Caption reorganisation; published gains are +1.4 to +2.6 Rank-1 for it alone (theirs, not ours).
"""

from mmtbps.generation import RetellPlanner, RetellRunner
from mmtbps.generation.rewriting import LanguageModelRewriter

generation = dict(
    planner=dict(type=RetellPlanner),
    rewriter=dict(type=LanguageModelRewriter, pretrained='Qwen/Qwen2.5-1.5B-Instruct',
                  captions_per_image=2, dtype='bfloat16'),
    runner=dict(type=RetellRunner, out_dir='data/retold', batch_size=16),
)
