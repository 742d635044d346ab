"""Encoders of images and sentences: torch, ONNX Runtime, export, and maps that explain them.

Importing this loads neither torch nor an optional package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base import Encoder, check_images, check_texts
from .immich_encoder import ImmichEncoder
from .loading import load_encoder
from .onnx_encoder import OnnxEncoder

if TYPE_CHECKING:
    from .explain import WordHeatMap, attention_rollout, rollout_map, word_heat_map
    from .onnx_export import export_encoder
    from .pretrained_encoder import PretrainedEncoder
    from .torch_encoder import TorchEncoder

__all__ = ['Encoder', 'ImmichEncoder', 'OnnxEncoder', 'PretrainedEncoder', 'TorchEncoder',
           'WordHeatMap', 'attention_rollout', 'check_images', 'check_texts', 'export_encoder',
           'load_encoder', 'rollout_map', 'word_heat_map']

_NEED_TORCH = dict(
    PretrainedEncoder='pretrained_encoder', TorchEncoder='torch_encoder', WordHeatMap='explain',
    attention_rollout='explain', export_encoder='onnx_export', rollout_map='explain',
    word_heat_map='explain')


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_NEED_TORCH[name]}', __name__), name)
