"""Parameters and operations of a model's parts."""

from typing import NamedTuple

import torch
from mmengine.model import BaseModel
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

__all__ = ['Complexity', 'measure_complexity']


class Complexity(NamedTuple):
    """Size of a part and work of it for one picture or sentence.

    Args:
        parameters: all numbers that are learned or were.
        trained: those that a training changes.
        macs: multiplications with an addition, as mmpretrain counts "FLOPs"; 0 for a part that
            acts in training alone.
    """

    parameters: int
    trained: int
    macs: int = 0


def measure_complexity(model: BaseModel, image_size: tuple[int, int], words: int = 64
                       ) -> dict[str, Complexity]:
    """Count parameters and operations of a retriever, for one picture and one caption.

    Counted are matrix products, convolutions and attention; norms and activations are not.

    Args:
        model: with ``encode_image`` and ``encode_text``.
        image_size: (height, width) of the picture in pixels.
        words: tokens of the caption.

    Returns:
        A value for ``image`` and ``text``, tower and neck each, ``heads``, and ``total``.
    """
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, *image_size, device=device)
    ids = torch.ones(1, words, dtype=torch.long, device=device)
    work = dict(image=lambda: model.encode_image(image),
                text=lambda: model.encode_text(ids, torch.ones_like(ids, dtype=torch.bool)))
    found = {}
    mode = model.training
    model.eval()
    for side, encode in work.items():
        parts = [getattr(model, f'{side}_{kind}') for kind in ('backbone', 'neck')]
        # Plain attention is made of matrix products, which are counted on every device.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as count:
            encode()
        found[side] = Complexity(*_size(parts), count.get_total_flops() // 2)
    model.train(mode)
    found['heads'] = Complexity(*_size([model.heads]))
    found['total'] = Complexity(*_size([model]), found['image'].macs + found['text'].macs)
    return found


def _size(parts: list[nn.Module]) -> tuple[int, int]:
    weights = {id(weight): weight for part in parts for weight in part.parameters()}.values()
    return (sum(weight.numel() for weight in weights),
            sum(weight.numel() for weight in weights if weight.requires_grad))
