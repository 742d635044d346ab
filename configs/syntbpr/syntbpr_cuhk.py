"""SynTBPR's training on CUHK-PEDES and generated pairs: two contrasts against one blended target.

Pairs that a generation run has merged into `pairs_root` train beside the originals; the log says at
the start how many there are.
"""

from mmengine.config import read_base

from mmtbps.models import SynTBPRHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.tbps_clip import *
    from .._base_.runtime import *
    from .._base_.schedules.tbps_clip_5e import *

load_from = './weights/clip_vit_b16.pth'
model.update(heads=dict(syntbpr=dict(type=SynTBPRHead, share=0.005)))
model.image_backbone.update(img_size=(224, 224))
# ImageNet's, not CLIP's.
model.data_preprocessor.update(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.update(batch_size=80, drop_last=True)
train_dataloader.dataset.update(pairs_root='data/CUHK-PEDES-pdg', pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
# As published with generated pairs; without any it has 5 epochs at 1e-4.
optim_wrapper.optimizer.update(lr=5e-5)
train_cfg.update(max_epochs=8)
param_scheduler[0].update(length=1 / 8)
param_scheduler[1].update(begin=1 / 8)
