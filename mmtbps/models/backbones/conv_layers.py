"""Layers of convolutions: over the places of an image, and over the words of a caption."""

from itertools import pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue

__all__ = ['GridLayer', 'StandardizedConv2d', 'WordLayer']

#: Channels that are normed together.
_GROUP = 8


class StandardizedConv2d(nn.Conv2d):
    r"""Convolution whose kernels have mean 0 and, over what they read, a fixed length.

    Micro-Batch Training with Batch-Channel Normalization and Weight Standardization,
    https://arxiv.org/abs/1903.10520: of each kernel its mean is taken away, and it is divided by
    its own deviation; times :math:`\sqrt{2 / n}`, n the number of its weights, so that a rectifier
    behind it keeps the size of the states. No channel can then drown the others of its group in a
    norm over the whole image.

    With ``bands`` what is computed for a row depends on where it is: locally connected layers, as
    in DeepFace, https://doi.org/10.1109/CVPR.2014.220, are for images in which everything has its
    place. Rows beyond the border of a band are read as they are, so nothing is cut.

    Args:
        dims: channels before it.
        out_dims: channels after it.
        kernel_size: side of the kernels, odd.
        stride: distance of the places that are computed.
        bands: number of bands of rows, from above, each with kernels of its own. The kernels of all
            stand one after the other in ``weight``, ``(bands * D', D, K, K)``.

    Example:
        >>> kernels = StandardizedConv2d(3, 2, kernel_size=3).kernels().flatten(1)
        >>> kernels.mean(1).abs().max() < 1e-6, (kernels ** 2).sum(1).round(decimals=3).tolist()
        (tensor(True), [2.0, 2.0])
    """

    def __init__(self, dims: int, out_dims: int, kernel_size: int, stride: int = 1,
                 bands: int = 1):
        super().__init__(dims, bands * out_dims, kernel_size, stride, kernel_size // 2, bias=False)
        self.bands = bands

    def kernels(self) -> Tensor:
        """Return the kernels that it convolves with, of the shape of ``weight``."""
        rows = self.weight.flatten(1)
        centred = rows - rows.mean(1, keepdim=True)
        length = centred.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return (sqrt(2) * centred / length).view_as(self.weight)

    def forward(self, states: Tensor) -> Tensor:
        """Convolve ``(N, D, H, W)`` with them."""
        if self.bands == 1:
            return self._conv_forward(states, self.kernels(), None)
        (side, _), (stride, _), (border, across) = self.kernel_size, self.stride, self.padding
        padded = F.pad(states, (0, 0, border, border))
        edges = band_edges((states.shape[2] - 1) // stride + 1, self.bands)
        return torch.cat([
            F.conv2d(padded[:, :, first * stride:(last - 1) * stride + side], kernels, None, stride,
                     (0, across))
            for (first, last), kernels in zip(pairwise(edges), self.kernels().chunk(self.bands),
                                              strict=True)], 2)


def band_edges(rows: int, bands: int) -> list[int]:
    """Divide rows among bands, as evenly as may be: the first row of each, and the end.

    Example:
        >>> band_edges(16, 3)
        [0, 5, 11, 16]
    """
    # Whole numbers: in a traced graph the rows are a tensor.
    return [(2 * rows * band + bands) // (2 * bands) for band in range(bands + 1)]


class GridLayer(nn.Module):
    """Layer that reads the neighbours of each place of an image.

    Standardised convolution, norm, rectifier. The norm is over all places of one image and eight
    channels (Group Normalization, https://arxiv.org/abs/1803.08494), so nothing depends on the
    batch. Norms of single places, as Transformers have them, take from a place how much there is of
    anything, and with it what is small, such as shoes.

    Args:
        dims: width of the states before it, D.
        out_dims: width after it, D', a multiple of 8.
        kernel_size: side of the convolution, odd.
        grid: rows and columns before it.
        stride: 2 for a grid of half the sides.
        residual: add the states before it, ahead of the rectifier, where there are as many; each
            channel with a weight that is trained, so that no weights of a layer without fit.
        bands: the rows after it are divided among so many bands, from above, each
            with kernels of its own.

    Attributes:
        out_grid: rows and columns after it.

    Raises:
        BadValue: the width cannot be grouped, or there are more bands than rows.

    Example:
        >>> import torch
        >>> layer = GridLayer(4, 8, kernel_size=3, grid=(6, 3), stride=2)
        >>> layer(torch.zeros(1, 18, 4)).shape, layer.out_grid
        (torch.Size([1, 6, 8]), (3, 2))
    """

    def __init__(self, dims: int, out_dims: int, kernel_size: int, grid: tuple[int, int],
                 stride: int = 1, residual: bool = False, bands: int = 1):
        super().__init__()
        if out_dims % _GROUP:
            raise BadValue(f'width must be a multiple of {_GROUP}, got {out_dims}')
        self.grid = grid
        self.out_grid = tuple((side - 1) // stride + 1 for side in grid)
        if not 1 <= bands <= self.out_grid[0]:
            raise BadValue('bands must be from 1 to the rows behind the layer, '
                           f'{self.out_grid[0]}, got {bands}')
        self.conv = StandardizedConv2d(dims, out_dims, kernel_size, stride, bands)
        self.norm = nn.GroupNorm(out_dims // _GROUP, out_dims)
        self.skip = None
        if residual and stride == 1 and dims == out_dims:
            self.skip = nn.Parameter(torch.ones(dims, 1, 1))
            nn.init.constant_(self.norm.weight, 0.5)  # so that the sum grows slowly with depth

    def forward(self, hidden: Tensor) -> Tensor:
        """Turn ``(N, P, D)``, row by row, into ``(N, P', D')``."""
        # Laid out with its channels last, as it is computed.
        before = hidden.transpose(1, 2).unflatten(2, self.grid)
        states = self.norm(self.conv(before))
        if self.skip is not None:
            states = states + self.skip * before
        return F.relu(states).flatten(2).transpose(1, 2)


class WordLayer(nn.Module):
    """Residual layer that reads the neighbours of each word.

    Norm, convolution, rectifier, linear layer. The stream itself is never normed, so that a
    gradient goes straight down to the words.

    Args:
        dims: width of the states, D.
        hidden: channels of the convolution.
        kernel_size: words that it reads, odd.

    Example:
        >>> import torch
        >>> mask = torch.ones(1, 12, dtype=torch.bool)
        >>> WordLayer(4, 8, kernel_size=3)(torch.zeros(1, 12, 4), mask).shape
        torch.Size([1, 12, 4])
    """

    def __init__(self, dims: int, hidden: int, kernel_size: int):
        super().__init__()
        self.norm = nn.LayerNorm(dims)
        self.conv = nn.Conv1d(dims, hidden, kernel_size, padding=kernel_size // 2)
        self.proj = nn.Linear(hidden, dims)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Add to each word what its neighbourhood says.

        Args:
            hidden: ``(N, L, D)``.
            mask: ``(N, L)`` bool; words outside it are read as zeros, and stay as they are.

        Returns:
            ``(N, L, D)``.
        """
        if self.training and hidden.device.type == 'cpu' and not torch.compiler.is_compiling():
            return self._without_padding(hidden, mask)
        seen = mask[..., None].to(hidden.dtype)
        states = self.conv((seen * self.norm(hidden)).transpose(1, 2))
        return hidden + seen * self.proj(F.relu(states).transpose(1, 2))

    def _without_padding(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Compute the same from words alone, all sentences in one line with zeros between them.

        A CPU computes padding as slowly as words, and beside long captions short sentences are
        padding for the most part.
        """
        sentence, place = mask.nonzero(as_tuple=True)
        rows = sentence * mask.shape[1] + place
        taken = (mask * torch.arange(1, mask.shape[1] + 1)).amax(1) + self.conv.kernel_size[0] // 2
        places = (taken.cumsum(0) - taken)[sentence] + place
        every = hidden.flatten(0, 1)
        words = self.norm(every.index_select(0, rows))
        line = words.new_zeros(int(taken.sum()), words.shape[1]).index_copy(0, places, words)
        states = self.conv(line.T[None])[0].T.index_select(0, places)
        added = self.proj(F.relu(states)).to(every.dtype)  # autocast computes it in half precision
        return every.index_add(0, rows, added).view_as(hidden)
