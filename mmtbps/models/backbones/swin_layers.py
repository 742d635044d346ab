"""Layers of the Swin Transformer, under the names of Microsoft's files."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue

__all__ = ['PatchMerging', 'SwinBlock', 'WindowAttention', 'merge_windows', 'relative_places',
           'shift_regions', 'split_windows']

_FAR = -100.0  # as published; no weight is left of it in a softmax


def split_windows(states: Tensor, window: int) -> Tensor:
    """Cut ``(N, H, W, D)`` into windows, ``(N * windows, window**2, D)``, row by row.

    Example:
        >>> split_windows(torch.arange(8).view(1, 2, 4, 1), 2)[:, :, 0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    states = states.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    return states.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def merge_windows(windows: Tensor, window: int, size: tuple[int, int]) -> Tensor:
    """Put windows together again, the inverse of `split_windows`.

    Args:
        windows: ``(N * windows, window**2, D)``.
        window: side of a window.
        size: (H, W) of the whole.

    Returns:
        ``(N, H, W, D)``.
    """
    rows, columns = size[0] // window, size[1] // window
    states = windows.unflatten(1, (window, window)).unflatten(0, (-1, rows, columns))
    return states.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def relative_places(window: int) -> Tensor:
    """Number the places of keys relative to queries, row of the table for each pair.

    Args:
        window: side of a window.

    Returns:
        ``(window**2, window**2)`` int64, query by key.

    Example:
        >>> relative_places(2)[0].tolist()
        [4, 3, 1, 0]
    """
    rows, columns = (places.flatten() for places in torch.meshgrid(
        torch.arange(window), torch.arange(window), indexing='ij'))
    down = rows[:, None] - rows[None] + window - 1
    right = columns[:, None] - columns[None] + window - 1
    return down * (2 * window - 1) + right


def shift_regions(size: tuple[int, int], window: int, shift: int) -> Tensor:
    """Mark the pairs within a shifted window that were no neighbours before the shift.

    Args:
        size: (H, W) of the whole.
        window: side of a window.
        shift: places that the whole was rolled up and left by.

    Returns:
        ``(windows, window**2, window**2)`` float, 0 or a number that leaves nothing in a softmax.
    """
    def parts(length: int) -> Tensor:
        places = torch.arange(length)
        return (places >= length - window).long() + (places >= length - shift).long()

    labels = 3 * parts(size[0])[:, None] + parts(size[1])[None]
    labels = split_windows(labels[None, :, :, None], window)[:, :, 0]
    return torch.zeros(()).where(labels[:, :, None] == labels[:, None], _FAR)


class WindowAttention(nn.Module):
    """Self-attention in a window, with a table of relative places.

    Args:
        dims: width of the states, D.
        heads: number of heads; divides the width.
        window: side of a window.

    Example:
        >>> WindowAttention(8, 2, window=2)(torch.zeros(3, 4, 8)).shape
        torch.Size([3, 4, 8])
    """

    def __init__(self, dims: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dims, 3 * dims), nn.Linear(dims, dims)
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window - 1)**2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer('places', relative_places(window), persistent=False)

    def forward(self, windows: Tensor, far: Tensor | None = None) -> Tensor:
        """Let the states of each window read each other.

        Args:
            windows: ``(N * windows, window**2, D)``.
            far: ``(windows, window**2, window**2)`` of `shift_regions`; ``None`` for none.
        """
        bias = self.relative_position_bias_table[self.places].permute(2, 0, 1)
        bias = bias[None] if far is None else bias + far[:, None]
        # Windows of different neighbours stand beside the heads: graphs know four dimensions.
        query, key, value = (
            states.unflatten(-1, (self.heads, -1)).unflatten(0, (-1, len(bias))).transpose(2, 3)
            .flatten(1, 2) for states in self.qkv(windows).chunk(3, -1))
        states = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.flatten(0, 1))
        states = states.unflatten(1, (len(bias), self.heads)).transpose(2, 3)
        return self.proj(states.flatten(3).flatten(0, 1))


class PatchMerging(nn.Module):
    """Four neighbours joined to one state of twice the width, in Microsoft's order of the four.

    Example:
        >>> PatchMerging(8)(torch.zeros(1, 4, 6, 8)).shape
        torch.Size([1, 2, 3, 16])
    """

    def __init__(self, dims: int):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * dims), nn.Linear(4 * dims, 2 * dims,
                                                                      bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """Join ``(N, H, W, D)`` to ``(N, H / 2, W / 2, 2 D)``."""
        # Down the first column of each four, then down the second.
        four = [states[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(four, -1)))


class SwinBlock(nn.Module):
    """A layer of Swin: attention in windows, an MLP, and maybe a merging of patches after it.

    Args:
        dims: width of the states, D.
        heads: number of heads.
        size: (rows, columns) of the states.
        window: side of a window; the shorter side of the states where that is less, and then
            nothing is shifted.
        shifted: whether the windows are shifted by half of their side.
        merging: whether four neighbours are joined afterwards.
        mlp_ratio: width of the hidden layer of the MLP, in widths of the states.
        drop_path: share of samples whose change is dropped while training.

    Raises:
        BadValue: the states cannot be cut into such windows, or cannot be joined by four.

    Example:
        >>> SwinBlock(8, 2, (4, 2), window=2, merging=True)(torch.zeros(1, 8, 8)).shape
        torch.Size([1, 2, 16])
    """

    def __init__(self, dims: int, heads: int, size: tuple[int, int], window: int,
                 shifted: bool = False, merging: bool = False, mlp_ratio: float = 4.0,
                 drop_path: float = 0.0):
        super().__init__()
        self.size, self.window, self.drop_path = size, min(window, *size), drop_path
        self.shift = window // 2 if shifted and min(size) > window else 0
        if size[0] % self.window or size[1] % self.window or (
                merging and (size[0] % 2 or size[1] % 2)):
            raise BadValue(f'{size[0]} x {size[1]} patches cannot be cut into windows of '
                           f'{self.window}' + ', then joined by four' * merging)
        if dims % heads:
            raise BadValue(f'{heads} heads do not divide a width of {dims}')
        self.norm1, self.norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.attn = WindowAttention(dims, heads, self.window)
        hidden = int(dims * mlp_ratio)
        self.mlp = nn.ModuleDict(dict(fc1=nn.Linear(dims, hidden), fc2=nn.Linear(hidden, dims)))
        self.downsample = PatchMerging(dims) if merging else None
        self.register_buffer('far', shift_regions(size, self.window, self.shift)
                             if self.shift else None, persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Compute ``(N, H * W, D)`` after this layer; a quarter as many, twice as wide, if joined.
        """
        change = self._attend(self.norm1(states).unflatten(1, self.size)).flatten(1, 2)
        states = states + self._drop(change)
        change = self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(states))))
        states = states + self._drop(change)
        if self.downsample is None:
            return states
        return self.downsample(states.unflatten(1, self.size)).flatten(1, 2)

    def _attend(self, states: Tensor) -> Tensor:
        if self.shift:
            states = states.roll((-self.shift, -self.shift), (1, 2))
        windows = self.attn(split_windows(states, self.window), self.far)
        states = merge_windows(windows, self.window, self.size)
        return states.roll((self.shift, self.shift), (1, 2)) if self.shift else states

    def _drop(self, change: Tensor) -> Tensor:
        """Leave out the change of some samples while training, as deep stochastic networks do."""
        if not (self.drop_path and self.training):
            return change
        kept = torch.rand(len(change), 1, 1, device=change.device) >= self.drop_path
        return change * kept / (1 - self.drop_path)
