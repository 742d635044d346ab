"""Prototypes of people, and attention distilled from them."""

import torch
from torch import Tensor

from .scores import mean_of_pairs, unit

__all__ = ['attention_distillation_loss', 'move_prototypes']


@torch.no_grad()
def move_prototypes(prototypes: Tensor, seen: Tensor, features: Tensor, person_ids: Tensor,
                    rate: float = 1.0) -> tuple[Tensor, Tensor]:
    """Move the prototypes of the people in a batch towards their features.

    A person's features in the batch are averaged. The further they are from the prototype, the more
    of them it takes: the share is ``rate`` x (1 - cosine), at most 1. The first ones are taken as
    they are.

    Args:
        prototypes: ``(C, D)`` of length 1.
        seen: ``(C,)`` bool, True where there is a prototype already.
        features: ``(N, D)``, any scale.
        person_ids: ``(N,)``, each a row of the prototypes.
        rate: above 0.

    Returns:
        The new ``(C, D)`` and ``(C,)``.

    Example:
        >>> new, seen = move_prototypes(torch.eye(2), torch.tensor([True, False]),
        ...                             torch.tensor([[0., 2.]]), torch.tensor([0]))
        >>> new.tolist(), seen.tolist()
        ([[0.0, 1.0], [0.0, 1.0]], [True, False])
    """
    features = unit(features).to(prototypes.dtype)
    counts = torch.zeros_like(prototypes[:, 0]).index_add(
        0, person_ids, torch.ones_like(features[:, 0]))
    sums = torch.zeros_like(prototypes).index_add(0, person_ids, features)
    target, present = unit(sums), counts > 0
    share = (rate * (1 - (target * prototypes).sum(1))).clamp(0, 1) * present
    share = torch.where(present & ~seen, torch.ones_like(share), share)[:, None]
    return unit(share * target + (1 - share) * prototypes), seen | present


def attention_distillation_loss(feature: Tensor, prototype: Tensor, patches: Tensor,
                                temperature: float = 0.1, pair_weights: Tensor | None = None
                                ) -> Tensor:
    r"""Compute the divergence of a feature's attention to patches from that of a prototype.

    :math:`KL(p \| q)` with the softmax over patches of the prototype's cosines divided by the
    temperature as :math:`p`, without gradient, and that of the feature's as :math:`q`.

    Args:
        feature: ``(N, D)``, any scale. Half precision is computed in float32.
        prototype: ``(N, D)``.
        patches: ``(N, P, D)``.
        temperature: positive number.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> eye = torch.eye(2)
        >>> round(attention_distillation_loss(eye[:1], eye[1:], eye[None], 1.0).item(), 4)
        0.4621
    """
    if feature.shape != prototype.shape or feature.shape != patches[:, 0].shape:
        raise ValueError('feature, prototype and patches must be (N, D) twice and (N, P, D), got '
                         f'{tuple(feature.shape)}, {tuple(prototype.shape)} and '
                         f'{tuple(patches.shape)}')
    with torch.autocast(feature.device.type, enabled=False):
        patches = unit(patches)
        taught = (patches.detach() @ unit(prototype).detach()[..., None])[..., 0] / temperature
        own = (patches @ unit(feature)[..., None])[..., 0] / temperature
        taught = taught.log_softmax(1)
        divergence = (taught.exp() * (taught - own.log_softmax(1))).sum(1)
        return mean_of_pairs(divergence, pair_weights)
