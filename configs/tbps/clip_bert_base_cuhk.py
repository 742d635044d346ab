"""CTLG's recipe with CLIP's image tower beside BERT, on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.models import CLIPVisionTower

with read_base():
    from .vit_bert_base_cuhk import *

model.image_backbone = dict(
    type=CLIPVisionTower, img_size=(384, 128), stride=12,
    init_cfg=dict(type='Pretrained', checkpoint='./weights/clip_vit_b16.pth',
                  prefix='image_backbone.'))
model.data_preprocessor.update(
    mean=(122.7709383, 116.7460125, 104.09373615), std=(68.5005327, 66.6321579, 70.32316305))
