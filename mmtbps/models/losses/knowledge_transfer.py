"""Similarities of a student drawn to those of a teacher."""

import torch
from torch import Tensor

from .scores import mean_of_pairs, unit

__all__ = ['transfer_loss']


def transfer_loss(teacher: Tensor, student: Tensor, candidates: Tensor,
                  temperature: float = 0.02, pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the divergence of a student's ranking of candidates from a teacher's.

    Distilling the Knowledge in a Neural Network, https://arxiv.org/abs/1503.02531, on cosines:
    :math:`KL(p \| q)` with the softmax of the teacher's cosines divided by the temperature as
    :math:`p`, without gradient, and that of the student's as :math:`q`; normalised inside.

    Args:
        teacher: ``(N, D)``, any scale.
        student: ``(N, D)``, row i taught by row i.
        candidates: ``(M, D)``, of which the teacher's side has no gradient.
        temperature: positive number.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> eye = torch.eye(2)
        >>> round(transfer_loss(eye, eye[[1, 0]], eye, temperature=1.0).item(), 4)
        0.4621
    """
    if teacher.shape != student.shape or candidates.shape[1:] != student.shape[1:]:
        raise ValueError(f'teacher and student must be (N, D), candidates (M, D), got '
                         f'{tuple(teacher.shape)}, {tuple(student.shape)} and '
                         f'{tuple(candidates.shape)}')
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    with torch.autocast(student.device.type, enabled=False):
        taught = unit(teacher).detach() @ unit(candidates).detach().T / temperature
        own = unit(student) @ unit(candidates).T / temperature
        taught = taught.log_softmax(1)
        divergence = (taught.exp() * (taught - own.log_softmax(1))).sum(1)
        return mean_of_pairs(divergence, pair_weights)
