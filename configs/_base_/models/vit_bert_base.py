"""The dual Transformer: overlapping ViT-B/16 at 384 x 128 and BERT-base, InfoNCE at 0.005."""

from mmtbps.models import (
    BERTBackbone,
    HardnessAwareContrastiveHead,
    TextImagePreprocessor,
    TextImageRetriever,
)
from mmtbps.models.backbones.vit import OverlapViT

model = dict(
    type=TextImageRetriever,
    data_preprocessor=dict(type=TextImagePreprocessor, pad_multiple=8),
    image_backbone=dict(
        type=OverlapViT,
        arch='base',
        img_size=(384, 128),
        stride=12,
        init_cfg=dict(type='Pretrained', checkpoint='./weights/vit_base_patch16_384.pth')),
    text_backbone=dict(type=BERTBackbone, model='./weights/bert-base-uncased'),
    heads=dict(contrastive=dict(type=HardnessAwareContrastiveHead, temperature=0.005)),
)
