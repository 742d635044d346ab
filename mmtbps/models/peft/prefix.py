"""Learned keys and values that every token of a layer reads besides the tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .part import TuningPart

__all__ = ['KeyValuePrefix', 'attend_with_prefix']


def attend_with_prefix(query: Tensor, key: Tensor, value: Tensor, prefix_key: Tensor,
                       prefix_value: Tensor, attn_mask: Tensor | None = None,
                       dropout_p: float = 0.0, is_causal: bool = False) -> Tensor:
    """Attend to tokens and to a prefix, which every token reads whatever else it may.

    The softmax is over both; where the prefix stands among the keys changes no result. A factor
    on the attention that the prefix got, after the softmax, is one on its values.

    Args:
        query: ``(N, heads, Q, d)``.
        key: ``(N, heads, P, d)``.
        value: ``(N, heads, P, d)``.
        prefix_key: ``(heads, S, d)``.
        prefix_value: ``(heads, S, d)``.
        attn_mask: of the tokens, ``(..., Q, P)``: bool, True where one is read, or added scores.
        dropout_p: share of attention weights that are dropped.
        is_causal: a token reads itself and those before it only.

    Returns:
        ``(N, heads, Q, d)``.

    Example:
        >>> one, none = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
        >>> attend_with_prefix(none, one, one, one[0], 5 * one[0]).item()
        3.0
    """
    if is_causal:
        places = torch.arange(key.shape[-2], device=key.device)
        attn_mask = places <= places[:, None]
    if attn_mask is not None:
        shape = (*attn_mask.shape[:-1], prefix_key.shape[-2])
        seen = (attn_mask.new_ones(shape) if attn_mask.dtype == torch.bool
                else attn_mask.new_zeros(shape))
        attn_mask = torch.cat([seen, attn_mask], dim=-1)
    key, value = (torch.cat([prefix.to(states.dtype).expand(states.shape[0], -1, -1, -1), states],
                            dim=2)
                  for prefix, states in ((prefix_key, key), (prefix_value, value)))
    return F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p)


class KeyValuePrefix(TuningPart):
    """A prefix of keys and values in the place of ``scaled_dot_product_attention``.

    UP-Person, https://arxiv.org/abs/2504.10084 (S-Prefix). Tokens stand among the keys and values
    after their projection, so they have no place and no token but them is projected. Each kind has
    a learned factor; another one, on the attention that the prefix gets, begins at 100, because
    tokens begin near zero.

    Args:
        width: of the tower, D.
        length: number of tokens, S.

    Example:
        >>> states = torch.zeros(2, 4, 7, 3)
        >>> KeyValuePrefix(12, length=5)(states, states, states).shape
        torch.Size([2, 4, 7, 3])
    """

    title = 'prefixes of keys and values'

    def __init__(self, width: int, length: int):
        super().__init__()
        self.key_tokens, self.value_tokens = (
            nn.Parameter(torch.empty(length, width).uniform_(0, 0.01)) for _ in range(2))
        self.key_scale, self.value_scale, self.mass_scale = (
            nn.Parameter(torch.tensor(factor)) for factor in (1., 1., 100.))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                dropout_p: float = 0.0, is_causal: bool = False) -> Tensor:
        """Attend to tokens and prefix; arguments as of torch's function."""
        heads = query.shape[1]
        prefix_key, prefix_value = (
            tokens.unflatten(-1, (heads, -1)).transpose(0, 1)
            for tokens in (self.key_scale * self.key_tokens,
                           self.mass_scale * self.value_scale * self.value_tokens))
        return attend_with_prefix(query, key, value, prefix_key, prefix_value, attn_mask,
                                  dropout_p, is_causal)
