"""Features of all processes, with gradients."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size, is_distributed
from torch import Tensor

__all__ = ['GatheredPairs', 'average_value', 'gather', 'gather_padded', 'gather_with_grad',
           'sum_with_grad']


class GatheredPairs(NamedTuple):
    """Features of the joined batch of all processes, M rows, ordered by rank.

    Args:
        image: ``(M, D)`` of one part, with gradient.
        text: ``(M, D)`` likewise.
        person_ids: ``(M,)``.
        first_row: index of this process's row 0 among them.
    """

    image: Tensor
    text: Tensor
    person_ids: Tensor
    first_row: int


def gather_with_grad(features: Tensor) -> Tensor:
    """Concatenate a tensor over processes; gradients flow back to the process they came from.

    Every process must bring the same shape. The backward pass sums what all processes
    derive for one row, so a loss that is a mean over *local* rows, averaged over processes
    by DDP, has exactly the gradient of the one-process loss on the joined batch.

    Args:
        features: ``(N, D)`` of this process.

    Returns:
        ``(world * N, D)``, ordered by rank; the argument itself when there is one process.

    Example:
        >>> gather_with_grad(torch.eye(2)).shape
        torch.Size([2, 2])
    """
    if not is_distributed() or get_world_size() == 1:
        return features
    from torch.distributed.nn.functional import all_gather
    return torch.cat(all_gather(features.contiguous()))


def gather(values: Tensor) -> Tensor:
    """Concatenate a tensor over processes, without gradients.

    Args:
        values: ``(N, ...)`` of this process, the same shape on every process.

    Returns:
        ``(world * N, ...)``, ordered by rank.
    """
    from mmengine.dist import all_gather
    return torch.cat(all_gather(values.contiguous()))


def gather_padded(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Concatenate rows over processes whose rows are not all as long.

    Args:
        values: ``(N, L)`` of this process; N is the same on every process.
        mask: ``(N, L)`` bool, False for fillers.

    Returns:
        Both ``(world * N, longest L)``, ordered by rank.
    """
    if not is_distributed() or get_world_size() == 1:
        return values, mask
    from mmengine.dist import all_reduce
    longest = torch.tensor(values.shape[1], device=values.device)
    all_reduce(longest, op='max')
    more = (0, int(longest) - values.shape[1])
    return gather(F.pad(values, more)), gather(F.pad(mask, more))


def sum_with_grad(values: Tensor) -> Tensor:
    """Sum a tensor over processes; the backward pass sums what all processes derive for it.

    Args:
        values: of this process, the same shape on every process.

    Returns:
        The sum; the argument itself when there is one process.
    """
    if not is_distributed() or get_world_size() == 1:
        return values
    from torch.distributed.nn.functional import all_reduce
    return all_reduce(values.contiguous())


def average_value(loss: Tensor) -> Tensor:
    """Give a loss the value of its mean over processes, and keep its own gradient.

    DDP averages gradients itself; what is missing is that every process *reports* the
    loss of the joined batch.

    Args:
        loss: ``()`` mean over the local rows.

    Returns:
        ``()`` the mean over processes.
    """
    if not is_distributed() or get_world_size() == 1:
        return loss
    from mmengine.dist import all_reduce
    mean = loss.detach().clone()
    all_reduce(mean, op='mean')
    return mean + (loss - loss.detach())
