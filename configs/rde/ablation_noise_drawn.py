"""Noisy correspondence at toy scale: RDE and InfoNCE with 0, 20, 50 and 80 percent moved captions.

Run by `mmtbps ablation`. The protocol is RDE's: captions of the training split alone move, and the
image keeps its identity. On the published data sets take the published index files, as
``train_dataloader.dataset.noise_index='0.5_noise_index.npy'``.
"""

from mmengine.config import read_base

from mmtbps.models import HardnessAwareContrastiveHead, ProjectionNeck

with read_base():
    from .rde_drawn import *

drawn_size = 'default'
train_cfg.update(max_epochs=4, val_interval=2)
param_scheduler[0].update(length=1 / 4)
param_scheduler[1].update(begin=1 / 4)

plain = {
    'model.heads': dict(_delete_=True, contrastive=dict(
        type=HardnessAwareContrastiveHead, temperature=0.005)),
    'model.image_neck': dict(_delete_=True, type=ProjectionNeck, out_dims=96),
    'model.text_neck': dict(_delete_=True, type=ProjectionNeck, out_dims=96),
    'custom_hooks': custom_hooks[:-1]}
arms = [dict(name=f'{name}, {rate:.0%} moved',
             options={**options, 'train_dataloader.dataset.noise_rate': rate})
        for name, options in (('RDE', {}), ('InfoNCE at 0.005', plain))
        for rate in (0., .2, .5, .8)]
