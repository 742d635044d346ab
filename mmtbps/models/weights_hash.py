"""Hashes of weights and settings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ['hash_settings', 'hash_weights']


def hash_settings(settings: Any) -> str:
    """Compute the SHA-256 of settings, whatever the order of their keys.

    Example:
        >>> hash_settings(dict(a=1, b=2)) == hash_settings(dict(b=2, a=1))
        True
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=repr).encode()).hexdigest()


def hash_weights(state: Mapping[str, Tensor], settings: str = '') -> str:
    """Compute the SHA-256 of names, types, shapes and values of weights, in the order of names.

    Args:
        state: weights by name.
        settings: hashed before them.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> hash_weights(layer.state_dict()) == hash_weights(layer.state_dict(), 'a setting')
        False
    """
    digest = hashlib.sha256(settings.encode())
    for name, tensor in sorted(state.items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        # As bytes, because numpy does not know bfloat16.
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
