"""APTM's parts at a small size, Swin among them, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import CaptionView, EasyDataAugmentation
from mmtbps.models import SecondCaptionHead, SwinTower

with read_base():
    from ..rasa.rasa_drawn import *

model.image_backbone = dict(
    type=SwinTower, img_size=(64, 32), patch_size=4, width=24, depths=(2, 2, 2), heads=(2, 4, 4),
    window=4)
model.match_dims = 192
model.heads.itc = dict(type=SecondCaptionHead, weight=0.8, head=model.heads.itc)
model.heads.itm = dict(type=SecondCaptionHead, weight=0.8, head=model.heads.itm)
# Wider than other models see the drawings: windows of 4 do not cut 6 columns of patches.
train_dataloader.dataset.pipeline[1].update(scale=(32, 64))
train_dataloader.dataset.pipeline[3].update(crop_size=(64, 32))
train_dataloader.dataset.pipeline.insert(4, dict(type=CaptionView, transforms=[
    dict(type=EasyDataAugmentation), tokenize]))
train_dataloader.dataset.pipeline[-1].input_keys.append('input_ids_2')
val_dataloader.dataset.pipeline[1].update(scale=(32, 64))
test_dataloader.dataset.pipeline[1].update(scale=(32, 64))
