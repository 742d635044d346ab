"""Placement of a network on the device that a user names."""

import torch
from torch import nn

from mmtbps.errors import UserError

__all__ = ['UnusableDevice', 'move_to_device']


class UnusableDevice(UserError, RuntimeError):
    """A device that torch does not know, that is not there or that has no room."""


def move_to_device(network: nn.Module, device: str | torch.device) -> None:
    """Move a network to a device, in place.

    Args:
        network: Any module.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``.

    Raises:
        UnusableDevice: torch cannot use the device; the message has its reason.

    Example:
        >>> move_to_device(nn.Linear(1, 1), 'cpu')
    """
    try:
        network.to(torch.device(device))
    except (AssertionError, RuntimeError) as error:  # built without CUDA, or no such device
        reason = str(error).strip().splitlines()[0]
        raise UnusableDevice(f'device {str(device)!r} cannot be used: {reason}') from error
