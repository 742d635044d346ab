"""Position embeddings of images, resized once while they are loaded."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['check_image_size', 'fit_position_table', 'resize_position_table']


def check_image_size(images: Tensor, img_size: tuple[int, int]) -> None:
    """Check that images have the size that a tower's positions are for.

    Args:
        images: ``(N, 3, H, W)``.
        img_size: (height, width) of the tower.

    Raises:
        BadValue: they are of another size.

    Example:
        >>> check_image_size(torch.zeros(1, 3, 8, 4), (8, 4))
    """
    if tuple(images.shape[-2:]) != tuple(img_size):
        raise BadValue(f'images of {tuple(images.shape[-2:])} pixels do not fit an image tower of '
                       f'img_size={tuple(img_size)}: its positions are for that size')


def resize_position_table(table: Tensor, source: tuple[int, int], grid: tuple[int, int],
                          mode: str = 'bilinear') -> Tensor:
    """Resize the position embedding of a grid of patches to another grid.

    An Image is Worth 16x16 Words, https://arxiv.org/abs/2010.11929, section 3.2. Half-pixel
    centres, no antialiasing: so do CLIP's successors in person search with ``'bilinear'``.

    Args:
        table: ``(K + R * C, D)``; the first K rows belong to no patch, such as a class token's,
            and are kept.
        source: (R, C), rows and columns of the table's grid.
        grid: rows and columns wanted.
        mode: as of ``torch.nn.functional.interpolate``, ``'bilinear'`` or ``'bicubic'``.

    Returns:
        ``(K + rows * columns, D)`` of the table's type.

    Example:
        >>> table = torch.tensor([[9.], [0.], [2.]])
        >>> resize_position_table(table, (1, 2), (1, 4)).flatten().tolist()
        [9.0, 0.0, 0.5, 1.5, 2.0]
    """
    extra = len(table) - source[0] * source[1]
    patches = table[extra:].float().unflatten(0, source).permute(2, 0, 1)[None]
    patches = F.interpolate(patches, size=tuple(grid), mode=mode, align_corners=False)
    return torch.cat([table[:extra], patches[0].flatten(1).T.to(table.dtype)])


def fit_position_table(table: Tensor, grid: tuple[int, int], extra: int = 0,
                       source: tuple[int, int] | None = None, mode: str = 'bilinear',
                       name: str = 'the position embedding') -> Tensor:
    """Resize a checkpoint's position embedding to a tower's grid, if it is of another.

    Args:
        table: ``(K + R * C, D)``. With as many rows as the tower has, it is the tower's own and is
            left alone.
        grid: rows and columns of the tower.
        extra: K, first rows that belong to no patch.
        source: (R, C) of the table; ``None`` for a square.
        mode: as in :func:`resize_position_table`.
        name: of the table, for messages.

    Returns:
        ``(K + rows * columns, D)``.

    Raises:
        BadValue: the table is not of the grid ``source``, or no square.
    """
    patches = len(table) - extra
    if patches == grid[0] * grid[1]:
        return table
    side = math.isqrt(max(patches, 0))
    source = tuple(source or (side, side))
    if source[0] * source[1] != patches:
        raise BadValue(
            f'{name} holds {patches} patch positions, which is not {source[0]} x {source[1]}; set '
            'source_grid=(rows, columns) of the image tower to the grid it was trained on')
    return resize_position_table(table, source, grid, mode)
