"""What callers hand over, checked and brought to one form."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['Array', 'integers', 'unit_features']

Array = Tensor | np.ndarray | Sequence


def unit_features(name: str, features: Array, device: str | torch.device | None) -> Tensor:
    """``(rows, width)`` float32 features of length 1.

    Raises:
        ValueError: it is no matrix, is empty, or a value is not finite; the message gives
            ``name``.
    """
    features = torch.as_tensor(features).detach().to(device).float()
    if features.ndim != 2 or not features.numel():
        raise ValueError(f'{name} must be a non-empty (rows, width) matrix, got shape '
                         f'{tuple(features.shape)}')
    broken = (~features.isfinite()).any(1).nonzero().flatten()
    if len(broken):
        raise ValueError(f'{name}: {len(broken)} rows hold NaN or infinity in float32, the first '
                         f'is row {int(broken[0])}; did the training diverge?')
    return F.normalize(features, dim=1)


def integers(name: str, values: Array | None, count: int,
             device: str | torch.device | None) -> Tensor:
    """``(count,)`` int64 ids.

    Raises:
        ValueError: they are no integers, or their number is another; the message gives ``name``.
    """
    if values is None:
        raise ValueError(f'cross_image_only needs {name}')
    try:
        ids = torch.as_tensor(values, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f'{name} must be integers: {error}') from error
    if ids.is_floating_point() or ids.is_complex():
        raise ValueError(f'{name} must be integers, got {ids.dtype}')
    if ids.shape != (count,):
        raise ValueError(f'{name} must hold one id for each of the {count} features, '
                         f'got shape {tuple(ids.shape)}')
    return ids.long()
