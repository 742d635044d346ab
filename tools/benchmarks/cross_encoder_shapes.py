"""Shapes of published cross-encoders, under the names of their files."""

__all__ = ['aptm_shapes', 'blip_shapes', 'rasa_shapes']

_WORDS, _WIDTH, _JOINT = 30522, 768, 256


def aptm_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of APTM: Swin-B at 384 x 128, and BERT-base.

    Args:
        layers: of BERT, of which half read images; Swin has as many as published.
    """
    return {**swin_shapes(), **bert_shapes('text_encoder.bert.', layers, layers // 2, 1024),
            **projections(1024), **linear('itm_head.0', 2 * _WIDTH, _WIDTH),
            **norm('itm_head.1', 2 * _WIDTH), **linear('itm_head.3', 2, 2 * _WIDTH)}


def rasa_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of RaSa: ViT-B/16 at 384 x 384, and BERT-base."""
    return {**vit_shapes(layers), **bert_shapes('text_encoder.bert.', layers, layers // 2, _WIDTH),
            **projections(_WIDTH), **linear('itm_head', 2, _WIDTH)}


def blip_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of BLIP: ViT-B/16 at 384 x 384, and BERT-base without segments."""
    bert = bert_shapes('text_encoder.', layers, 0, _WIDTH, words=_WORDS + 2)
    del bert['text_encoder.embeddings.token_type_embeddings.weight']
    return {**vit_shapes(layers), **bert, **projections(_WIDTH), **linear('itm_head', 2, _WIDTH)}


def linear(name: str, out: int, size: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of a linear layer."""
    return {f'{name}.weight': (out, size), f'{name}.bias': (out, )}


def norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of a norm."""
    return {f'{name}.weight': (size, ), f'{name}.bias': (size, )}


def projections(image: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of both projections."""
    return linear('vision_proj', _JOINT, image) | linear('text_proj', _JOINT, _WIDTH)


def vit_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of a ViT-B/16 at 384 x 384."""
    prefix = 'visual_encoder.'
    shapes = {f'{prefix}cls_token': (1, 1, _WIDTH), f'{prefix}pos_embed': (1, 577, _WIDTH),
              f'{prefix}patch_embed.proj.weight': (_WIDTH, 3, 16, 16),
              f'{prefix}patch_embed.proj.bias': (_WIDTH, ), **norm(f'{prefix}norm', _WIDTH)}
    for i in range(layers):
        shapes |= mixing(f'{prefix}blocks.{i}', _WIDTH)
    return shapes


def mixing(block: str, width: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of attention, MLP and norms of a layer."""
    return {**norm(f'{block}.norm1', width), **norm(f'{block}.norm2', width),
            **linear(f'{block}.attn.qkv', 3 * width, width),
            **linear(f'{block}.attn.proj', width, width),
            **linear(f'{block}.mlp.fc1', 4 * width, width),
            **linear(f'{block}.mlp.fc2', width, 4 * width)}


def swin_shapes() -> dict[str, tuple[int, ...]]:
    """List the shapes of Swin-B with windows of 8, of 4 in the last stage."""
    prefix = 'vision_encoder.'
    shapes = {f'{prefix}patch_embed.proj.weight': (128, 3, 4, 4),
              f'{prefix}patch_embed.proj.bias': (128, ), **norm(f'{prefix}patch_embed.norm', 128),
              **norm(f'{prefix}norm', 1024)}
    for stage, (depth, window) in enumerate(zip((2, 2, 18, 2), (8, 8, 8, 4), strict=True)):
        width = 128 << stage
        for i in range(depth):
            block = f'{prefix}layers.{stage}.blocks.{i}'
            shapes |= mixing(block, width)
            shapes[f'{block}.attn.relative_position_bias_table'] = (
                (2 * window - 1)**2, width // 32)
        if stage < 3:
            merging = f'{prefix}layers.{stage}.downsample'
            shapes |= {f'{merging}.reduction.weight': (2 * width, 4 * width),
                       **norm(f'{merging}.norm', 4 * width)}
    return shapes


def bert_shapes(prefix: str, layers: int, fused: int, image: int, words: int = _WORDS
                ) -> dict[str, tuple[int, ...]]:
    """List the shapes of BERT-base whose layers from ``fused`` on read an image."""
    shapes = {f'{prefix}embeddings.{name}_embeddings.weight': (rows, _WIDTH) for name, rows in (
        ('word', words), ('position', 512), ('token_type', 2))}
    shapes |= norm(f'{prefix}embeddings.LayerNorm', _WIDTH)
    for i in range(layers):
        layer = f'{prefix}encoder.layer.{i}'
        for part, read in (('attention', _WIDTH), ('crossattention', image)):
            if part == 'attention' or i >= fused:
                shapes |= {**linear(f'{layer}.{part}.self.query', _WIDTH, _WIDTH),
                           **linear(f'{layer}.{part}.self.key', _WIDTH, read),
                           **linear(f'{layer}.{part}.self.value', _WIDTH, read),
                           **linear(f'{layer}.{part}.output.dense', _WIDTH, _WIDTH),
                           **norm(f'{layer}.{part}.output.LayerNorm', _WIDTH)}
        shapes |= {**linear(f'{layer}.intermediate.dense', 4 * _WIDTH, _WIDTH),
                   **linear(f'{layer}.output.dense', _WIDTH, 4 * _WIDTH),
                   **norm(f'{layer}.output.LayerNorm', _WIDTH)}
    return shapes
