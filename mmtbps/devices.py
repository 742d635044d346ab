"""Placement of a network on the device that a user names."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .errors import UserError

__all__ = ['UnusableDevice', 'move_to_device', 'usable_device']


class UnusableDevice(UserError, RuntimeError):
    """A device that torch does not know, that is not there or that has no room."""


@contextmanager
def usable_device(device: str | torch.device) -> Iterator[torch.device]:
    """Use a device in a block, and say so where it cannot be used.

    Args:
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``.

    Raises:
        UnusableDevice: torch cannot use the device; the message has its reason.

    Example:
        >>> with usable_device('cpu') as place:
        ...     print(place.type)
        cpu
    """
    try:
        yield torch.device(device)
    except (AssertionError, RuntimeError) as error:  # built without CUDA, or no such device
        reason = str(error).strip().splitlines()[0]
        raise UnusableDevice(f'device {str(device)!r} cannot be used: {reason}') from error


def move_to_device(network: nn.Module, device: str | torch.device) -> None:
    """Move a network to a device, in place.

    Args:
        network: Any module.
        device: See `usable_device`.

    Raises:
        UnusableDevice: As `usable_device`.

    Example:
        >>> move_to_device(nn.Linear(1, 1), 'cpu')
    """
    with usable_device(device) as place:
        network.to(place)
