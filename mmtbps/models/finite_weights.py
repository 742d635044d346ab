"""Check that weights are numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['check_finite']

_SHOWN = 3


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Check that no weight is NaN or infinite, as those of a training that diverged are.

    Masks of attention (``attn_mask``) hold infinity by intention and are passed over.

    Args:
        state: weights by name.
        source: file, folder or model that they are of, for the message.

    Raises:
        BadValue: some are; the first few are named.

    Example:
        >>> check_finite({'a': torch.ones(2), 'b': torch.tensor([1., torch.nan])}, 'best.pth')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: best.pth: 1 of its 2 weights holds NaN or infinity: b. Did the \
training diverge, or was the file damaged?
    """
    broken = [name for name, value in state.items()
              if not name.endswith('attn_mask') and not torch.isfinite(value).all()]
    if broken:
        more = ', ...' if len(broken) > _SHOWN else ''
        raise BadValue(
            f'{source}: {len(broken)} of its {len(state)} weights hold{"s" * (len(broken) == 1)} '
            f'NaN or infinity: {", ".join(broken[:_SHOWN])}{more}. Did the training diverge, or '
            'was the file damaged?')
