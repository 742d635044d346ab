"""Some of the outputs of a linear layer."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['linear_rows']


def linear_rows(layer: nn.Module, states: Tensor, rows: slice) -> Tensor:
    """Compute the outputs of a linear layer that some rows of its weight make, and no others.

    Args:
        layer: a linear layer, alone or with low-rank adapters as peft puts them around it; or
            one that has ``forward_rows``; one of any other make runs whole.
        states: ``(..., D)``.
        rows: of the weight.

    Returns:
        ``(..., rows)``.

    Example:
        >>> import torch
        >>> layer, states = nn.Linear(2, 6), torch.randn(3, 2)
        >>> rows = slice(2, 4)
        >>> torch.allclose(linear_rows(layer, states, rows), layer(states)[:, rows])
        True
    """
    if hasattr(layer, 'forward_rows'):
        return layer.forward_rows(states, rows)
    plain = getattr(layer, 'base_layer', layer)
    other = [getattr(layer, name, False) for name in (
        'merged', 'disable_adapters', 'lora_magnitude_vector', 'lora_variant')]
    if type(plain) is not nn.Linear or any(other):
        return layer(states)[..., rows]
    output = F.linear(states, plain.weight[rows], None if plain.bias is None else plain.bias[rows])
    for name in getattr(layer, 'active_adapters', ()):
        narrow = layer.lora_A[name](layer.lora_dropout[name](states))
        output = output + F.linear(narrow, layer.lora_B[name].weight[rows]) * layer.scaling[name]
    return output
