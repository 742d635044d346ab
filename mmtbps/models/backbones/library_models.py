"""Models of transformers in pieces: copies that share weights, and their sizes."""

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import PretrainedConfig

__all__ = ['sharing_copy', 'sizes_of']

# Notes of transformers in a config that are not about sizes.
_NO_SIZES = {'transformers_version', 'architectures', 'dtype', 'torch_dtype', 'reference_compile'}


def sharing_copy(module: nn.Module, children: Mapping[str, nn.Module] | None = None) -> nn.Module:
    """Copy a module that shares parameters and children, but for the given ones.

    So a library's own encoder runs on a slice of its layers, and nobody else notices.

    Args:
        module: stays as it is; another thread may use it at the same time.
        children: by name, in the place of its own.

    Example:
        >>> net = nn.Sequential(nn.ReLU(), nn.Tanh())
        >>> sharing_copy(net, {'1': nn.Identity()})[1], net[1], sharing_copy(net)[0] is net[0]
        (Identity(), Tanh(), True)
    """
    twin = copy.copy(module)
    twin._modules = {**module._modules, **(children or {})}
    return twin


def sizes_of(config: PretrainedConfig) -> dict[str, Any]:
    """Return what makes a model of a config another than the default one, as settings."""
    return {key: value for key, value in config.to_diff_dict().items()
            if key not in _NO_SIZES and not key.startswith('_')}
