"""Position tables of pictures of any shape, as squares that transformers resizes in every run."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['square_positions']


def square_positions(table: Tensor, grid: tuple[int, int], extra: int = 0) -> Tensor:
    """Return a square position table that becomes the given one when transformers resizes it.

    transformers keeps the positions of CLIP and SigLIP as a square, and resizes it by bicubic
    interpolation for pictures of another shape, if it is asked to. That is a linear map of rows and
    one of columns; the square is the least one that both map to the table. Where rows are an odd
    multiple of columns, as 24 of 8 are, the table stands in it number by number.

    Args:
        table: ``(K + R * C, D)``; the first K rows belong to no patch and are kept.
        grid: (R, C) of the patches.
        extra: K.

    Returns:
        ``(K + S * S, D)``, S the larger of R and C, of the table's type.

    Example:
        >>> square = square_positions(torch.tensor([[1.], [2.], [3.]]), (3, 1))
        >>> square.view(3, 3)[:, 1].tolist()
        [1.0, 2.0, 3.0]
    """
    if grid[0] == grid[1]:
        return table
    side = max(grid)
    patches = table[extra:].double().unflatten(0, grid)
    rows, columns = (torch.linalg.pinv(_resize_map(side, count)) for count in grid)
    square = torch.einsum('sr,rcd,tc->std', rows, patches, columns)
    return torch.cat([table[:extra], square.flatten(0, 1).to(table.dtype)])


def _resize_map(source: int, target: int) -> Tensor:
    """Return the ``(target, source)`` matrix by which numbers in a row are resized."""
    return F.interpolate(torch.eye(source, dtype=torch.float64)[None, None], (target, source),
                         mode='bicubic', align_corners=False)[0, 0]
