"""Low-rank adapters on the rows of a linear layer that make keys and values."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.models.backbones.weight_names import show_weights_as

from .part import TuningPart

__all__ = ['KeyValueLoRA', 'low_rank_rows']


def low_rank_rows(states: Tensor, down: Tensor, up: Tensor, scale: Tensor) -> Tensor:
    """Compute what low-rank adapters add to parts of an output that lie side by side.

    Args:
        states: ``(..., in)``.
        down: A of each part, ``(parts, rank, in)``.
        up: B of each part, ``(parts, rows, rank)``.
        scale: of each part, ``(parts,)``.

    Returns:
        ``(..., parts * rows)``, ``scale * B A x`` of each part in turn.

    Example:
        >>> low_rank_rows(torch.ones(1), torch.ones(2, 1, 1), torch.ones(2, 1, 1),
        ...               torch.tensor([2., 3.])).tolist()
        [2.0, 3.0]
    """
    narrow = F.linear(states, down.flatten(0, 1)).unflatten(-1, down.shape[:2])
    parts = [F.linear(narrow[..., part, :], up[part]) * scale[part] for part in range(len(up))]
    return torch.cat(parts, dim=-1)


class KeyValueLoRA(TuningPart):
    """A linear layer with low-rank adapters on keys and values, each with a learned factor.

    UP-Person, https://arxiv.org/abs/2504.10084 (KV-LoRA): ``W x + scale * B A x`` with a frozen W,
    a random A and a B that begins at zero. Queries are left alone. Where queries, keys and values
    are one layer its last two thirds are adapted, each with an A of its own.

    Args:
        base_layer: layer that makes keys, values, or queries, keys and values in this order.
        rank: rows of A, columns of B.

    Example:
        >>> layer = nn.Linear(4, 12)
        >>> adapted = KeyValueLoRA(layer, rank=2)
        >>> torch.equal(adapted(torch.ones(1, 4)), layer(torch.ones(1, 4)))
        True
    """

    title = 'low-rank adapters of keys and values'
    merges = True

    def __init__(self, base_layer: nn.Linear, rank: int):
        super().__init__()
        self.base_layer = base_layer
        width, outputs = base_layer.in_features, base_layer.out_features
        parts = 2 if outputs == 3 * width else 1
        rows = width if parts == 2 else outputs
        self.kv_lora_down = nn.Parameter(
            torch.empty(parts, rank, width).uniform_(-1, 1) / math.sqrt(width))
        self.kv_lora_up = nn.Parameter(torch.zeros(parts, rows, rank))
        self.kv_lora_scale = nn.Parameter(torch.ones(parts))
        show_weights_as(self, 'base_layer', '')

    def forward(self, states: Tensor) -> Tensor:
        """Compute the whole output, ``(..., in)`` to ``(..., out)``."""
        return self.forward_rows(states, slice(None))

    def forward_rows(self, states: Tensor, rows: slice) -> Tensor:
        """Compute the outputs that some rows of the weight make, ``(..., rows)``."""
        plain = self.base_layer
        bias = None if plain.bias is None else plain.bias[rows]
        output = F.linear(states, plain.weight[rows], bias)
        start, stop, _ = rows.indices(plain.out_features)
        first = plain.out_features - self.kv_lora_up.shape[:2].numel()
        if stop <= first:
            return output
        added = low_rank_rows(states, self.kv_lora_down, self.kv_lora_up, self.kv_lora_scale)
        added = added[..., max(start - first, 0):stop - first]
        return output + F.pad(added, (max(first - start, 0), 0))
