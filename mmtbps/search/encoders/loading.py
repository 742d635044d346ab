"""Factory of encoders: a model by its name or folder, in the runtime that it is made for."""

from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue

from .base import Encoder
from .onnx_encoder import MANIFEST, OnnxEncoder

__all__ = ['load_encoder']


def load_encoder(model: Any, weights: str | None = None, device: str | None = None) -> Encoder:
    """Load a model as an encoder: on ONNX Runtime if it is an exported folder, else in torch.

    Args:
        model: A folder written by `mmtbps.search.encoders.export_encoder` (it holds
            ``export.json``) for ONNX Runtime; anything else is for torch, see
            `mmtbps.search.encoders.torch_encoder.TorchEncoder`.
        weights: Checkpoint of a torch model; an exported folder brings its own.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default the best there is.

    Raises:
        BadValue: Weights or a device are given for an exported folder, which takes neither.

    Example::

        encoder = load_encoder('vit_bert_pdg_drawn', 'best.pth')
        encoder.encode_texts(['a man in a red coat']).shape  # (1, dim)
    """
    if isinstance(model, (str, Path)) and Path(model, MANIFEST).is_file():
        if weights is not None or device not in (None, 'cpu'):
            raise BadValue(f'{model} is an exported model: it brings its weights and runs on the '
                           'CPU; leave weights and device out')
        return OnnxEncoder(model)
    from .torch_encoder import TorchEncoder  # torch may not be installed beside ONNX Runtime
    return TorchEncoder(model, weights=weights, device=device)
