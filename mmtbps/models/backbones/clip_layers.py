"""Layers of CLIP's towers, under the names of OpenAI's files."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue

from .attend_alone import attend_alone
from .linear_rows import linear_rows
from .weight_names import show_weights_as

__all__ = ['ACTIVATIONS', 'Float32LayerNorm', 'QuickGELU', 'ResidualAttentionBlock',
           'SelfAttention', 'quick_gelu']


def quick_gelu(states: Tensor) -> Tensor:
    """Compute the sigmoid approximation of GELU that OpenAI's weights were trained with.

    Gaussian Error Linear Units, https://arxiv.org/abs/1606.08415, section 2:
    ``x * sigmoid(1.702 * x)``.

    Args:
        states: of any shape.

    Example:
        >>> round(quick_gelu(torch.tensor(1.)).item(), 4), round(F.gelu(torch.tensor(1.)).item(), 4)
        (0.8458, 0.8413)
    """
    return states * torch.sigmoid(1.702 * states)


class QuickGELU(nn.Module):
    """Module of :func:`quick_gelu`."""

    def forward(self, states: Tensor) -> Tensor:
        """Apply it to every number."""
        return quick_gelu(states)


#: Modules of the activations that published CLIP weights were trained with.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = dict(
    quick_gelu=QuickGELU, gelu=nn.GELU, gelu_tanh=partial(nn.GELU, approximate='tanh'))


class Float32LayerNorm(nn.LayerNorm):
    """Layer norm that computes in float32 and returns the type it was given.

    So does CLIP, whose weights are half precision: mean and variance of large states lose too much
    in it. Double precision stays double.
    """

    def forward(self, states: Tensor) -> Tensor:
        """Normalise ``(..., D)`` states."""
        kind = torch.promote_types(states.dtype, torch.float32)
        return F.layer_norm(states.to(kind), self.normalized_shape, self.weight.to(kind),
                            self.bias.to(kind), self.eps).to(states.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention with one weight for queries, keys and values.

    Args:
        width: of the states, D.
        heads: number of heads; divides the width.
        causal: a token reads itself and those before it only.
        dropout: share of attention weights that are dropped while training.

    Raises:
        BadValue: the heads do not divide the width.

    Example:
        >>> SelfAttention(8, heads=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, heads: int, causal: bool = False, dropout: float = 0.0):
        super().__init__()
        if width % heads:
            raise BadValue(f'{heads} heads do not divide a width of {width}; CLIP has a head for '
                           'every 64')
        self.heads, self.causal, self.dropout = heads, causal, dropout
        # As mmpretrain's: a module may take its place.
        self.scaled_dot_product_attention = F.scaled_dot_product_attention
        # The weight is drawn later; a default one would take random numbers of what comes after.
        self.in_proj = nn.utils.skip_init(nn.Linear, width, 3 * width,
                                          device=torch.empty(0).device)
        self.out_proj = nn.Linear(width, width)
        for linear in (self.in_proj, self.out_proj):
            nn.init.zeros_(linear.bias)
        show_weights_as(self, 'in_proj', 'in_proj_')  # as OpenAI's files

    def forward(self, states: Tensor) -> Tensor:
        """Compute what every token reads, ``(N, P, D)`` to ``(N, P, D)``."""
        query, key, value = self._project(states, 0, 3)
        return self._attend(query, key, value, is_causal=self.causal)

    def read_token(self, states: Tensor, place: Tensor | None) -> Tensor:
        """Compute what one token of each row reads.

        Args:
            states: ``(N, P, D)``.
            place: ``(N,)`` of that token; ``None`` for the first.

        Returns:
            ``(N, 1, D)``.
        """
        query, = self._project(take_token(states, place), 0, 1)
        key, value = self._project(states, 1, 3)
        seen = None
        if self.causal:
            places = torch.arange(states.shape[1], device=states.device)[None]
            seen = (places <= (0 if place is None else place[:, None]))[:, None, None]
        return self._attend(query, key, value, attn_mask=seen)

    def weights(self, states: Tensor) -> Tensor:
        """Compute how much each token reads of each other, ``(N, heads, P, P)``.

        The fused attention keeps no weights, so they are made again of queries and keys. What
        is read besides the tokens, of a learned prefix, is left out.
        """
        query, key = self._project(states, 0, 2)
        scores = query @ key.mT * query.shape[-1]**-0.5
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=states.device).triu(1)
            scores = scores.masked_fill(later, float('-inf'))
        return scores.softmax(-1)

    def read_alone(self, states: Tensor, place: Tensor | None) -> Tensor:
        """Compute what a token would read that reads one other alone, for each, ``(N, P, D)``."""
        query, = self._project(take_token(states, place), 0, 1)
        key, value = self._project(states, 1, 3)
        output = attend_alone(self.scaled_dot_product_attention, query, key, value)
        return self.out_proj(output.transpose(1, 2).flatten(2))

    def _project(self, states: Tensor, first: int, last: int) -> list[Tensor]:
        """Project to thirds ``first`` to ``last - 1`` of (query, key, value), head by head."""
        width = states.shape[-1]
        projected = linear_rows(self.in_proj, states, slice(first * width, last * width))
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for part in projected.chunk(last - first, dim=-1)]

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, **options) -> Tensor:
        output = self.scaled_dot_product_attention(
            query, key, value, dropout_p=self.dropout * self.training, **options)
        return self.out_proj(output.transpose(1, 2).flatten(2))


class ResidualAttentionBlock(nn.Module):
    """A Transformer layer of CLIP: norm, attention, norm, two linear layers, each part added.

    Learning Transferable Visual Models From Natural Language Supervision,
    https://arxiv.org/abs/2103.00020.

    Args:
        width: of the states, D.
        heads: of the attention.
        activation: one of `ACTIVATIONS`.
        mlp_width: of the hidden states between the linear layers; ``None`` for four times D.
        causal: a token reads itself and those before it only.
        attn_drop: share of attention weights that are dropped while training.

    Raises:
        BadValue: the activation is unknown, or the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, activation: str = 'quick_gelu',
                 mlp_width: int | None = None, causal: bool = False, attn_drop: float = 0.0):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise BadValue(f'activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}; '
                           "OpenAI's weights and names with `quickgelu` have quick_gelu, those of "
                           'LAION and DataComp gelu')
        mlp_width = mlp_width or 4 * width
        self.attn = SelfAttention(width, heads, causal, attn_drop)
        self.ln_1 = Float32LayerNorm(width)
        self.mlp = nn.Sequential(OrderedDict(
            c_fc=nn.Linear(width, mlp_width), activation=ACTIVATIONS[activation](),
            c_proj=nn.Linear(mlp_width, width)))
        self.ln_2 = Float32LayerNorm(width)

    def init_weights(self, depth: int) -> None:
        """Draw the weights as CLIP does; what is added to the stream is less in a deep tower.

        Args:
            depth: number of such layers in the tower.
        """
        width = self.ln_1.normalized_shape[0]
        added = width**-0.5 * (2 * depth)**-0.5
        for weight, std in ((self.attn.in_proj.weight, width**-0.5),
                            (self.attn.out_proj.weight, added),
                            (self.mlp.c_fc.weight, (2 * width)**-0.5),
                            (self.mlp.c_proj.weight, added)):
            nn.init.normal_(weight, std=std)

    def forward(self, hidden: Tensor) -> Tensor:
        """Compute the states of every token, ``(N, P, D)`` to ``(N, P, D)``."""
        return self._feed_forward(hidden + self.attn(self.ln_1(hidden)))

    def read_token(self, hidden: Tensor, place: Tensor | None) -> Tensor:
        """Compute the state of one token of each row alone.

        Args:
            hidden: ``(N, P, D)``.
            place: ``(N,)`` of that token; ``None`` for the first.

        Returns:
            ``(N, D)``.
        """
        token = take_token(hidden, place) + self.attn.read_token(self.ln_1(hidden), place)
        return self._feed_forward(token)[:, 0]

    def read_alone(self, hidden: Tensor, place: Tensor | None) -> Tensor:
        """Compute the state that one token would have if it read one other alone, for each.

        Args:
            hidden: ``(N, P, D)``.
            place: ``(N,)`` of the token that reads; ``None`` for the first.

        Returns:
            ``(N, P, D)``.
        """
        token = take_token(hidden, place)
        return self._feed_forward(token + self.attn.read_alone(self.ln_1(hidden), place))

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.mlp(self.ln_2(hidden))


def take_token(states: Tensor, place: Tensor | None) -> Tensor:
    """Take one token of each row, ``(N, P, D)`` to ``(N, 1, D)``."""
    if place is None:
        return states[:, :1]
    return states[torch.arange(states.shape[0], device=states.device), place][:, None]
