"""A dual Transformer for two CPU cores: 64 x 24 pixels in overlapping patches, 96 wide."""

from mmtbps.models import (
    BERTBackbone,
    HardnessAwareContrastiveHead,
    TextImagePreprocessor,
    TextImageRetriever,
)
from mmtbps.models.backbones.vit import OverlapViT

model = dict(
    type=TextImageRetriever,
    data_preprocessor=dict(type=TextImagePreprocessor),
    image_backbone=dict(
        type=OverlapViT,
        arch=dict(embed_dims=96, num_layers=3, num_heads=4, feedforward_channels=384),
        img_size=(64, 24),
        patch_size=8,
        stride=6),
    text_backbone=dict(
        type=BERTBackbone,
        pooling='cls',
        config=dict(
            vocab_size=1024,
            hidden_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=384,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            max_position_embeddings=64)),
    heads=dict(contrastive=dict(type=HardnessAwareContrastiveHead, temperature=0.02)),
)
