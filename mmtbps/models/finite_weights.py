"""Check that weights are numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['check_arrays', 'check_finite']

_SHOWN = 3
#: Bytes that a tensor may seem to have beyond those that it is stored in.
_FREE = 1 << 26


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Check that no weight is NaN or infinite, as those of a training that diverged are.

    Masks of attention (``attn_mask``) hold infinity by intention and are passed over.

    Args:
        state: weights by name.
        source: file, folder or model that they are of, for the message.

    Raises:
        BadValue: some are, the first few are named; or one is no array of real numbers.

    Example:
        >>> check_finite({'a': torch.ones(2), 'b': torch.tensor([1., torch.nan])}, 'best.pth')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: best.pth: 1 of its 2 weights holds NaN or infinity: b. Did the \
training diverge, or was the file damaged?
    """
    check_arrays(state, source)
    broken = [name for name, value in state.items()
              if not name.endswith('attn_mask') and not torch.isfinite(value).all()]
    if broken:
        more = ', ...' if len(broken) > _SHOWN else ''
        raise BadValue(
            f'{source}: {len(broken)} of its {len(state)} weights hold{"s" * (len(broken) == 1)} '
            f'NaN or infinity: {", ".join(broken[:_SHOWN])}{more}. Did the training diverge, or '
            'was the file damaged?')


def check_arrays(state: Mapping[str, Tensor], source: str) -> None:
    """Check that weights are arrays of real numbers, and hold as many as they seem to.

    Args:
        state: weights by name.
        source: file, folder or model that they are of, for the message.

    Raises:
        BadValue: one is sparse, quantized, complex, or a shape without numbers.

    Example:
        >>> check_arrays({'a': torch.ones(1).expand(1 << 40)}, 'best.pth')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: best.pth: a is no array of real numbers, but \
1,099,511,627,776 numbers, of which it holds 4 bytes
    """
    for name, value in state.items():
        if reason := _no_numbers(value):
            raise BadValue(f'{source}: {name} is no array of real numbers, but {reason}')


def _no_numbers(value: Tensor) -> str | None:
    """Say what a tensor is that holds no real numbers, or fewer than it seems to."""
    if value.is_meta:
        return 'a shape without any'
    if value.layout != torch.strided or value.is_nested:
        return f'of layout {str(value.layout).removeprefix("torch.")}'
    if value.is_complex() or value.is_quantized:
        return f'of type {str(value.dtype).removeprefix("torch.")}'
    if value.numel() * value.itemsize > max(value.untyped_storage().nbytes(), _FREE):
        return (f'{value.numel():,} numbers, of which it holds '
                f'{value.untyped_storage().nbytes():,} bytes')
    return None
