"""The last layer of a tower for the one token whose state is read.

Nothing after the last layer looks at the other tokens, so they need keys and values there and
nothing else: no query, no output, no feed-forward network. The result is that of the whole layer,
for about a sixth of its multiplications.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .linear_rows import linear_rows

__all__ = ['bert_first_token', 'is_plain_bert', 'siglip_last_token', 'vit_first_token']

_PLAIN_BERT = ('BertLayer', 'RobertaLayer', 'ElectraLayer')


def vit_first_token(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Compute an mmpretrain ``TransformerEncoderLayer`` for the first token.

    Args:
        layer: the layer. If its attention has a value shortcut, the whole layer runs.
        hidden: ``(N, L, D)``.

    Returns:
        ``(N, D)``.
    """
    attention = layer.attn
    if attention.v_shortcut:
        return layer(hidden)[:, 0]
    normed, width = layer.ln1(hidden), attention.embed_dims
    query = linear_rows(attention.qkv, normed[:, :1], slice(width))
    # Slices, because an exporter cuts constants by them and leaves a split for every run.
    key, value = linear_rows(attention.qkv, normed, slice(width, None)).chunk(2, dim=-1)
    query, key, value = _heads(attention.num_heads, query, key, value)
    output = attention.scaled_dot_product_attention(
        query, key, value, dropout_p=attention.attn_drop * layer.training)
    output = attention.proj(output.transpose(1, 2).flatten(2))
    first = hidden[:, :1] + attention.out_drop(attention.gamma1(attention.proj_drop(output)))
    return layer.ffn(layer.ln2(first), identity=first)[:, 0]


def bert_first_token(layer: nn.Module, hidden: Tensor, blocked: Tensor | None) -> Tensor:
    """Compute a layer of transformers' BERT for the first token alone.

    Args:
        layer: a layer that `is_plain_bert`.
        hidden: ``(N, L, D)``.
        blocked: ``(N, 1, 1, L)``, added to the scores of the keys, or ``None``.

    Returns:
        ``(N, D)``.
    """
    attention, first = layer.attention.self, hidden[:, :1]
    query, key, value = _heads(attention.num_attention_heads, attention.query(first),
                               attention.key(hidden), attention.value(hidden))
    context = F.scaled_dot_product_attention(query, key, value, blocked,
                                             attention.dropout.p * layer.training)
    first = layer.attention.output(context.transpose(1, 2).flatten(2), first)
    return layer.output(layer.intermediate(first), first)[:, 0]


def siglip_last_token(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Compute a layer of transformers' SigLIP for the last token alone.

    Args:
        layer: a ``SiglipEncoderLayer``.
        hidden: ``(N, L, D)``, all tokens to be attended.

    Returns:
        ``(N, D)``.
    """
    attention, normed = layer.self_attn, layer.layer_norm1(hidden)
    query, key, value = _heads(attention.num_heads, attention.q_proj(normed[:, -1:]),
                               attention.k_proj(normed), attention.v_proj(normed))
    context = F.scaled_dot_product_attention(query, key, value,
                                             dropout_p=attention.dropout * layer.training)
    last = hidden[:, -1:] + attention.out_proj(context.transpose(1, 2).flatten(2))
    return (last + layer.mlp(layer.layer_norm2(last)))[:, 0]


def is_plain_bert(layer: nn.Module) -> bool:
    """Tell whether `bert_first_token` computes what a layer computes.

    Args:
        layer: a layer of any make; those of BERT, RoBERTa and ELECTRA are plain.
    """
    if type(layer).__name__ not in _PLAIN_BERT:
        return False
    positions = getattr(layer.attention.self, 'position_embedding_type', 'absolute')
    return positions == 'absolute' and not layer.is_decoder


def _heads(heads: int, *states: Tensor) -> list[Tensor]:
    """``(N, L, D)`` each to ``(N, heads, L, D / heads)``."""
    return [state.unflatten(-1, (heads, -1)).transpose(1, 2) for state in states]
