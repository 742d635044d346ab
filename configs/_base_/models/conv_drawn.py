"""Convolutional towers for two CPU cores: 64 x 24 pixels and neighbouring words, 96 wide."""

from mmtbps.models import (
    BatchRandomErasing,
    ConvTextTower,
    ConvVisionTower,
    HardnessAwareContrastiveHead,
    TextImagePreprocessor,
    TextImageRetriever,
)

model = dict(
    type=TextImageRetriever,
    data_preprocessor=dict(
        type=TextImagePreprocessor,
        batch_augments=[dict(type=BatchRandomErasing, prob=0.5, area=(0.02, 0.2))]),
    image_backbone=dict(
        type=ConvVisionTower,
        img_size=(64, 24),
        width=16,
        depths=(1, 2, 2, 2),
        out_dims=96),
    text_backbone=dict(type=ConvTextTower, vocab_size=1024, width=96, depth=1, kernel_size=5,
                       word_drop=0.1),
    heads=dict(contrastive=dict(type=HardnessAwareContrastiveHead, temperature=0.05)),
)
