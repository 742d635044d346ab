"""Weights of negatives that are likely to be false: pairs whose captions resemble the row's."""

import torch
from torch import Tensor

from .scores import unit

__all__ = ['neighbour_weights']


@torch.no_grad()
def neighbour_weights(text: Tensor, person_ids: Tensor | None = None, nearest: int = 5,
                      first_cosine: float = 0.8, second_cosine: float = 0.6, shared: int = 2,
                      first_weight: float = 0.1, second_weight: float = 0.3) -> Tensor:
    """Compute a weight below 1 for negatives in the neighbourhood of each pair, without gradient.

    After Seeking False Hard Negatives for Graph Contrastive Learning (LocWGCL), IEEE TCSVT 2024,
    https://doi.org/10.1109/TCSVT.2024.3370149, of which an abstract is known and no code: false
    hard negatives sit among neighbours of first and second order, and are weighed anew instead of
    left out. All else is our interpretation, as there is no graph of captions:

    - neighbours of first order are each other's: a caption is among the ``nearest`` of another one,
      or that one among its own, with a cosine above ``first_cosine``; and pairs of one person;
    - those of second order are not of first, have at least ``shared`` first ones in common, and a
      cosine above ``second_cosine``;
    - what is alike is told by captions alone, for both directions of a loss.

    At a temperature t a weight w is a head start of ``-t log w`` in cosine for the pair: 0.1 at
    0.005 is 0.0115. A low temperature, which trains on the hardest negatives nearly alone, gains
    most where these are false.

    Args:
        text: ``(M, D)`` features of captions, any scale.
        person_ids: ``(M,)``; ``None`` makes every pair a person of its own.
        nearest: candidates of first order for each caption, at most.
        first_cosine: lower limit of neighbours of first order.
        second_cosine: of second order.
        shared: first neighbours that those of second order have in common.
        first_weight: of neighbours of first order, above 0, at most 1.
        second_weight: likewise.

    Returns:
        ``(M, M)``, symmetric, 1 on the diagonal.

    Raises:
        ValueError: an option is out of its range.

    Example:
        >>> text = torch.tensor([[1., 0.], [1., 0.1], [0., 1.]])
        >>> [[round(weight, 1) for weight in row] for row in neighbour_weights(text).tolist()]
        [[1.0, 0.1, 1.0], [0.1, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if nearest < 1 or shared < 1:
        raise ValueError(f'nearest and shared must be at least 1, got {nearest} and {shared}')
    if not 0 < first_weight <= 1 or not 0 < second_weight <= 1:
        raise ValueError('first_weight and second_weight must lie in (0, 1], got '
                         f'{first_weight} and {second_weight}')
    with torch.autocast(text.device.type, enabled=False):
        cosines = unit(text) @ unit(text).T
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    others = cosines.masked_fill(own, -2)
    limit = others.topk(min(nearest, len(text)), dim=1).values[:, -1:]
    first = (others >= limit) & (others > first_cosine)
    first = first | first.T
    if person_ids is not None:
        first = first | (person_ids[:, None] == person_ids[None])
    first = first & ~own
    links = first.to(cosines.dtype)
    second = (links @ links >= shared) & (others > second_cosine) & ~first
    weights = torch.ones_like(cosines).masked_fill(second, second_weight)
    return weights.masked_fill(first, first_weight)
