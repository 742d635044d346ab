"""Learning rate schedules that follow the length of the run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import CosineAnnealingLR, LinearLR, MultiStepLR, OptimWrapper

from mmtbps.registry import PARAM_SCHEDULERS

__all__ = ['CosineDecayLR', 'StepDecayLR', 'WarmUpLR']

#: Arguments that are places in the run.
_PLACES = ('begin', 'length', 'milestones', 'T_max')


class InRun:
    """Base of schedules whose places below 1 are shares of the run, and others epochs or steps.

    ``end`` is the length of the run; MMEngine fills in ``max_epochs`` or ``max_iters``.
    """

    @classmethod
    def build_iter_from_epoch(cls, optimizer: OptimWrapper, end: int, epoch_length: int,
                              by_epoch: bool = True, **options: Any) -> 'InRun':
        """Build a schedule of steps from settings in epochs."""
        return cls(optimizer, end=round(end * epoch_length), by_epoch=False,
                   **cls.in_steps(options, epoch_length))

    @staticmethod
    def in_steps(options: Mapping[str, Any], epoch_length: int) -> dict[str, Any]:
        """Turn places in epochs into places in steps; shares and other options stay.

        Example:
            >>> InRun.in_steps(dict(begin=2, length=0.5, gamma=0.1), epoch_length=10)
            {'begin': 20, 'length': 0.5, 'gamma': 0.1}
        """
        return {name: _stretch(value, epoch_length) if name in _PLACES and value is not None
                else value for name, value in options.items()}


@PARAM_SCHEDULERS.register_module()
class WarmUpLR(InRun, LinearLR):
    """Linear warm-up over the first part of the run.

    A warm-up of less than two epochs or steps, as of a run that was shortened, is left out: the
    learning rate is whole from the beginning.

    Args:
        optimizer: wrapper of the optimizer.
        length: of the warm-up; below 1 a share of the run.
        end: length of the run.
        start_factor: share of the learning rate at the beginning.
        options: further ones of MMEngine's ``LinearLR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.)
        >>> WarmUpLR(optimizer, length=0.1, end=50, start_factor=0.2).end
        5
    """

    def __init__(self, optimizer: OptimWrapper, length: float, end: int,
                 start_factor: float = 0.1, **options: Any) -> None:
        steps = round(_place(length, end))
        super().__init__(optimizer, end=max(steps, 1),
                         start_factor=start_factor if steps > 1 else 1, **options)


@PARAM_SCHEDULERS.register_module()
class CosineDecayLR(InRun, CosineAnnealingLR):
    """Cosine from a place in the run to its end.

    Args:
        optimizer: wrapper of the optimizer.
        end: length of the run.
        begin: place of the first step; below 1 a share of the run.
        options: further ones of MMEngine's ``CosineAnnealingLR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.)
        >>> cosine = CosineDecayLR(optimizer, begin=1 / 12, end=24)
        >>> cosine.begin, cosine.T_max
        (2, 22)
    """

    def __init__(self, optimizer: OptimWrapper, end: int, begin: float = 0, **options: Any
                 ) -> None:
        first = round(_place(begin, end))
        # One that begins where the run ends never acts.
        super().__init__(optimizer, begin=first, end=max(end, first + 1), **options)


@PARAM_SCHEDULERS.register_module()
class StepDecayLR(InRun, MultiStepLR):
    """Decay by a factor at places in the run.

    Args:
        optimizer: wrapper of the optimizer.
        milestones: these places; below 1 shares of the run.
        end: length of the run.
        options: further ones of MMEngine's ``MultiStepLR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.)
        >>> sorted(StepDecayLR(optimizer, milestones=[2 / 7, 4 / 7, 6 / 7], end=5).milestones)
        [2, 3, 5]
    """

    def __init__(self, optimizer: OptimWrapper, milestones: Sequence[float], end: int,
                 **options: Any) -> None:
        # Upwards, so that the first epoch of a short run has the whole learning rate.
        places = [math.ceil(round(_place(share, end), 6)) for share in milestones]
        super().__init__(optimizer, milestones=places, end=end, **options)


def _place(share: float, end: int) -> float:
    return share * end if 0 < share < 1 else share


def _stretch(place: float | Sequence[float], epoch_length: int) -> float | list[float]:
    """Turn places in epochs into places in steps; shares stay."""
    if isinstance(place, Sequence):
        return [_stretch(one, epoch_length) for one in place]
    return place * epoch_length if place >= 1 else place
