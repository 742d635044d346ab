"""Towers told apart from data and steps: convolutions in place of Transformers, one side and both.

Run by `mmtbps ablation`. All arms see 64 pairs of 2,000 people a step, for 400 steps but for the
last one. Rate and temperature are those of the Transformers' recipe; nothing is erased or dropped.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.models.conv_drawn import model as conv_model
    from .vit_bert_base_drawn import *
    from .._base_.schedules.steps import *

train_cfg.update(max_iters=400, val_interval=200)
default_hooks.checkpoint.update(interval=200, max_keep_ckpts=1)
drawn_size = 'default'

pictures = {'model.image_backbone': dict(conv_model['image_backbone'], _delete_=True)}
words = {'model.text_backbone': dict(conv_model['text_backbone'], _delete_=True, word_drop=0.0)}
longer = {'train_cfg.max_iters': 800, 'train_cfg.val_interval': 400,
          'default_hooks.checkpoint.interval': 400}
arms = [
    dict(name='Transformers of pictures and words'),
    dict(name='convolutions of pictures', options=pictures),
    dict(name='convolutions of words', options=words),
    dict(name='convolutions of both', options={**pictures, **words}),
    dict(name='both, + renderer pairs', pairs='renderer', options={**pictures, **words}),
    dict(name='both, twice the steps', options={**pictures, **words, **longer}),
]
