"""Layers of convolutions over tokens, of an image on its grid or of a caption in its line."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['ConvLayer', 'ConvMerging', 'convolve']


def convolve(conv: nn.Module, states: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
    """Run a convolution over tokens.

    Args:
        conv: a ``Conv2d`` with a grid, else a ``Conv1d``.
        states: ``(N, P, D)``, row by row where they lie on a grid.
        grid: rows and columns of the tokens; ``None`` for a line.

    Returns:
        ``(N, P', D')``.

    Example:
        >>> import torch
        >>> conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        >>> _ = nn.init.ones_(conv.weight)
        >>> convolve(conv, torch.tensor([[[1.], [2.], [4.]]])).flatten().tolist()
        [3.0, 7.0, 6.0]
    """
    states = states.transpose(1, 2)
    if grid is not None:
        states = states.unflatten(2, grid)  # laid out with its channels last, as it is computed
    return conv(states).flatten(2).transpose(1, 2)


class ConvLayer(nn.Module):
    """Residual layer that reads the neighbours of each token.

    Norm, convolution, rectifier, linear layer. The stream itself is never normed, so that a
    gradient goes straight down to pixels and words.

    Args:
        dims: width of the states, D.
        hidden: channels of the convolution.
        kernel_size: its side, odd.
        grid: rows and columns of the tokens; ``None`` for a line.

    Example:
        >>> import torch
        >>> ConvLayer(4, 8, kernel_size=3, grid=(6, 2))(torch.zeros(1, 12, 4)).shape
        torch.Size([1, 12, 4])
    """

    def __init__(self, dims: int, hidden: int, kernel_size: int,
                 grid: tuple[int, int] | None = None):
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(dims)
        self.conv = (nn.Conv1d if grid is None else nn.Conv2d)(
            dims, hidden, kernel_size, padding=kernel_size // 2)
        self.proj = nn.Linear(hidden, dims)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """Add to each token what its neighbourhood says.

        Args:
            hidden: ``(N, P, D)``.
            mask: ``(N, P)`` bool; tokens outside it are read as zeros, and stay as they are.

        Returns:
            ``(N, P, D)``.
        """
        states = self.norm(hidden)
        if mask is None:
            return hidden + self.proj(F.relu(convolve(self.conv, states, self.grid)))
        seen = mask[..., None].to(hidden.dtype)
        return hidden + seen * self.proj(F.relu(convolve(self.conv, seen * states, self.grid)))


class ConvMerging(nn.Module):
    """Layer that halves the grid, by a norm and a convolution of every other place.

    Args:
        dims: width of the states before it.
        out_dims: width after it.
        grid: rows and columns before it.

    Example:
        >>> import torch
        >>> ConvMerging(4, 8, grid=(6, 3))(torch.zeros(1, 18, 4)).shape  # 3 x 2 of them
        torch.Size([1, 6, 8])
    """

    def __init__(self, dims: int, out_dims: int, grid: tuple[int, int]):
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(dims)
        self.conv = nn.Conv2d(dims, out_dims, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Turn ``(N, P, D)`` into ``(N, P', D')``, P' about a quarter of P."""
        return convolve(self.conv, self.norm(hidden), self.grid)
