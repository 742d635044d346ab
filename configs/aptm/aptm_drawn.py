"""APTM's parts at a small size, Swin among them, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.models import SwinTower

with read_base():
    from ..rasa.rasa_drawn import *

model.image_backbone = dict(
    type=SwinTower, img_size=(64, 32), patch_size=4, width=24, depths=(2, 2, 2), heads=(2, 4, 4),
    window=4)
model.match_dims = 192
# Wider than other models see the drawings: windows of 4 do not cut 6 columns of patches.
train_dataloader.dataset.pipeline[1].update(scale=(32, 64))
train_dataloader.dataset.pipeline[3].update(crop_size=(64, 32))
val_dataloader.dataset.pipeline[1].update(scale=(32, 64))
test_dataloader.dataset.pipeline[1].update(scale=(32, 64))
