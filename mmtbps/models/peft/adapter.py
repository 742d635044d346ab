"""Bottlenecks beside the norms of a tower."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.models.backbones.weight_names import show_weights_as

from .part import TuningPart

__all__ = ['Bottleneck', 'ParallelAdapter', 'bottleneck']


def bottleneck(states: Tensor, down: Tensor, down_bias: Tensor, up: Tensor,
               up_bias: Tensor) -> Tensor:
    """Compute two linear layers with a narrow waist, ``up relu(down x)``.

    Args:
        states: ``(..., D)``.
        down: ``(R, D)``.
        down_bias: ``(R,)``.
        up: ``(D, R)``.
        up_bias: ``(D,)``.

    Returns:
        ``(..., D)``.

    Example:
        >>> one, zero = torch.ones(1, 1), torch.zeros(1)
        >>> bottleneck(torch.tensor([[-2.], [3.]]), one, zero, 2 * one, zero).flatten().tolist()
        [0.0, 6.0]
    """
    return F.linear(F.relu(F.linear(states, down, down_bias)), up, up_bias)


class Bottleneck(nn.Module):
    """Weights of :func:`bottleneck` with a learned factor; adds nothing at first.

    Args:
        width: D.
        reduction: D over the width R of the waist.
    """

    def __init__(self, width: int, reduction: int):
        super().__init__()
        self.down = nn.Linear(width, width // reduction)
        self.up = nn.Linear(width // reduction, width)
        self.scale = nn.Parameter(torch.tensor(1.))
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for weight in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(weight)

    def forward(self, states: Tensor) -> Tensor:
        """Compute what is added, ``(..., D)``."""
        return self.scale * bottleneck(states, self.down.weight, self.down.bias, self.up.weight,
                                       self.up.bias)


class ParallelAdapter(TuningPart):
    """A norm with a bottleneck beside it, which reads what the norm reads.

    UP-Person, https://arxiv.org/abs/2504.10084 (L-Adapter): ``ln(x) + scale * up(relu(down(x)))``
    of the stream as it is, before attention and before the feed-forward network.

    Args:
        base_layer: norm of a pre-norm layer, or none.
        width: of the stream, D.
        reduction: D over the width of the waist.

    Example:
        >>> norm = nn.LayerNorm(8)
        >>> states = torch.randn(2, 8)
        >>> torch.equal(ParallelAdapter(norm, 8, reduction=4)(states), norm(states))
        True
    """

    title = 'adapters beside norms'

    def __init__(self, base_layer: nn.Module, width: int, reduction: int):
        super().__init__()
        self.base_layer, self.adapter = base_layer, Bottleneck(width, reduction)
        show_weights_as(self, 'base_layer', '')

    def forward(self, states: Tensor) -> Tensor:
        """Normalise ``(..., D)`` states, and add what the bottleneck makes of them."""
        return self.base_layer(states) + self.adapter(states)
