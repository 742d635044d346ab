"""Weights of pairs by how much a change of the background moves their heat-maps."""

import torch
from torch import Tensor

from .scores import unit

__all__ = ['change_weights', 'heat_change', 'person_area', 'swap_background']


def person_area(height: int, width: int, shares: tuple[float, float] = (0.95, 0.6),
                device: torch.device | None = None) -> Tensor:
    """Mark the ellipse in the middle of a crop, where the person stands.

    Args:
        height: rows of pixels or of patches.
        width: columns.
        shares: of height and width that the ellipse spans.
        device: of the result.

    Returns:
        ``(height, width)`` bool, True where the middle of a cell is inside.

    Example:
        >>> person_area(3, 4, (1.0, 0.6)).int().tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
    """
    rows, columns = (((torch.arange(count, device=device) + 0.5) / count - 0.5) / (share / 2)
                     for count, share in zip((height, width), shares, strict=True))
    return rows[:, None].square() + columns[None].square() <= 1


def swap_background(images: Tensor, area: Tensor) -> Tensor:
    """Give each image the background of the one before it, the first that of the last.

    Args:
        images: ``(N, 3, H, W)``.
        area: ``(H, W)`` bool, True where an image stays as it is.

    Returns:
        ``(N, 3, H, W)``.
    """
    return torch.where(area, images, images.roll(1, 0))


def heat_change(heat: Tensor, other: Tensor, places: Tensor | None = None) -> Tensor:
    """Compute how much two heat-maps differ, whatever their scale and level.

    Args:
        heat: ``(N, P)``, one number a place.
        other: ``(N, P)``.
        places: ``(P,)`` bool, True where they are compared; ``None`` for everywhere.

    Returns:
        ``(N,)``: (1 - correlation) / 2, from 0 to 1; 0.5 where a map is flat.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> heat_change(torch.tensor([[1., 2., 4.]]), torch.tensor([[-1., -2., -4.]]))
        tensor([1.])
    """
    if heat.ndim != 2 or heat.shape != other.shape:
        raise ValueError(f'heat-maps must be (N, P), got {tuple(heat.shape)} and '
                         f'{tuple(other.shape)}')
    if places is None:
        places = torch.ones(heat.shape[1], dtype=torch.bool, device=heat.device)
    one, two = (unit((full - (full * places).sum(1, keepdim=True) / places.sum()) * places)
                for full in (heat, other))
    return ((1 - (one * two).sum(1)) / 2).clamp(min=0)  # equal maps may miss 0 by rounding


def change_weights(change: Tensor, average: Tensor, strength: float = 1.0) -> Tensor:
    """Turn changes of heat-maps into weights: more where the change is larger.

    Args:
        change: ``(N,)``, not negative.
        average: ``()`` mean change of the joined batch of all processes.
        strength: 0 for weights of 1; the least weight is 1 / (1 + strength).

    Returns:
        ``(N,)``, of mean 1 over the joined batch.

    Raises:
        ValueError: the strength is negative.

    Example:
        >>> change_weights(torch.tensor([0., 2.]), torch.tensor(1.)).tolist()
        [0.5, 1.5]
    """
    if strength < 0:
        raise ValueError(f'strength must not be negative, got {strength}')
    relative = change / average.clamp(min=torch.finfo(change.dtype).tiny)
    relative = torch.where(average > 0, relative, torch.ones_like(relative))
    return (1 + strength * relative) / (1 + strength)
