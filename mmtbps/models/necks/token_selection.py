"""RDE's second part of the feature: the tokens that the pooled token attends to most."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.backbones.base import Tokens, Tower
from mmtbps.models.losses.gather import sum_with_grad
from mmtbps.registry import MODELS

from .projection import ProjectionNeck

__all__ = ['MaskedBatchNorm1d', 'TokenSelectionNeck', 'select_tokens']

SIDES = ('image', 'text')


def select_tokens(attention: Tensor, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Select the ``k`` candidates of highest attention in each row, fewer where there are fewer.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, equation 4.

    Args:
        attention: ``(N, P)``, not negative.
        candidates: ``(N, P)`` bool, True where a token may be selected.
        k: tokens to select.

    Returns:
        Places ``(N, k)`` and ``(N, k)`` bool, False where a row had no further candidate.

    Example:
        >>> places, chosen = select_tokens(torch.tensor([[.4, .1, .3, .2]]),
        ...                                torch.tensor([[False, True, True, False]]), k=3)
        >>> places[chosen].tolist(), chosen.tolist()
        ([2, 1], [[True, True, False]])
    """
    scores = attention.masked_fill(~candidates, -1)
    # Of fixed size for rows of any length, so that a tower exports with lengths left open.
    scores, places = F.pad(scores, (0, k), value=-1).topk(k, dim=1)
    return places.clamp(max=attention.shape[1] - 1), scores >= 0


class MaskedBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation with the statistics of some rows: what is only filler does not count.

    In training the statistics are those of the rows of all processes, so that several processes
    compute what one does; leave ``sync_bn`` of the Runner out.

    Example:
        >>> norm = MaskedBatchNorm1d(1, eps=0)
        >>> rows = torch.tensor([[[1.], [3.], [99.]]])
        >>> norm(rows, torch.tensor([[True, True, False]]))[0, :2, 0].tolist()
        [-1.0, 1.0]
    """

    def forward(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """Normalise ``(N, k, C)`` rows; ``chosen`` ``(N, k)`` bool says which of them count."""
        if not self.training:
            return super().forward(rows.flatten(0, 1)).view_as(rows)
        rows, weight = rows.to(self.weight.dtype), chosen.to(self.weight.dtype)[..., None]
        count = sum_with_grad(weight.sum())
        mean = sum_with_grad((rows * weight).sum((0, 1))) / count
        centred = rows - mean
        variance = sum_with_grad((centred.square() * weight).sum((0, 1))) / count
        with torch.no_grad():
            unbiased = variance * count / (count - 1).clamp(min=1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked.add_(1)
        return centred * (variance + self.eps).rsqrt() * self.weight + self.bias


class _SelectedMLP(nn.Module):
    """Two linear layers with normalisation and ReLU between them; names as in RDE's files."""

    def __init__(self, in_dims: int, out_dims: int):
        super().__init__()
        hidden = out_dims // 2
        self.layers = nn.ModuleList([nn.Linear(in_dims, hidden), nn.Linear(hidden, out_dims)])
        self.bns = nn.ModuleList([MaskedBatchNorm1d(hidden)])

    def forward(self, rows: Tensor, chosen: Tensor) -> Tensor:
        return self.layers[1](self.bns[0](self.layers[0](rows), chosen).relu())


@MODELS.register_module()
class TokenSelectionNeck(ProjectionNeck):
    r"""A neck of two parts: the pooled token, and the best of the tokens it attends to (TSE).

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, section 3.2. Of the last layer's attention, averaged over
    heads, the row of the pooled token is taken. The :math:`k` tokens of highest attention, special
    tokens left out, go from the space of the part ``global``, each divided by its length, through

    .. math:: h = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0 r)) + W_{fc}\,r

    and the part ``tse`` is the maximum of :math:`h` over them, not normalised.

    An image selects ``int((tokens - 1) * ratio)`` patches. A caption selects up to
    ``int((context_length - 2) * ratio)`` words whatever its length, fewer if it has fewer: the mask
    tells words from filler, so padding changes nothing. Places in the middle that the mask leaves
    out are not selected either. The first token and the last of the mask are special. A caption
    without a word selects its pooled token.

    Both sides need the same ``out_dims`` and ``selection_dims``. In published files the shortcut
    ``fc`` is ``visul_emb_layer.fc`` of images and ``texual_emb_layer.linear`` of captions. Batch
    statistics are those of selected tokens only, over all processes; published training ran the
    norm in evaluation mode.

    Args:
        in_dims: width of the tower's feature; a retriever fills it in.
        side: ``'image'`` or ``'text'``: which tokens are special.
        out_dims: width of the part ``global``; ``None`` leaves the feature as it is.
        selection_dims: width of the part ``tse``.
        ratio: share of the tokens to select.
        context_length: tokens that the share of a caption is taken of.
        bias: whether the projection has a bias.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range, or an image tower has no class token.

    Example:
        >>> neck = TokenSelectionNeck(in_dims=768, side='image', out_dims=512)
        >>> neck.parts, neck.mlp.layers[1]
        (('global', 'tse'), Linear(in_features=512, out_features=1024, bias=True))
    """

    parts, needs_tokens = ('global', 'tse'), True

    def __init__(self, in_dims: int, side: str, out_dims: int | None = None,
                 selection_dims: int = 1024, ratio: float = 0.3, context_length: int = 77,
                 bias: bool = False, init_cfg: dict | list | None = None):
        super().__init__(in_dims, out_dims, bias, init_cfg)
        if side not in SIDES:
            raise BadValue(f'side must be one of {SIDES}, got {side!r}')
        if not 0 < ratio <= 1 or context_length < 3 or selection_dims < 2:
            raise BadValue('ratio must lie in (0, 1], context_length be at least 3 and '
                           f'selection_dims at least 2, got {ratio}, {context_length} and '
                           f'{selection_dims}')
        self.side, self.ratio, self.context_length = side, ratio, context_length
        self.dims['tse'] = selection_dims
        self.fc = nn.Linear(out_dims or in_dims, selection_dims)
        self.mlp = _SelectedMLP(out_dims or in_dims, selection_dims)

    def forward(self, tower: Tower, tokens: Tokens) -> dict[str, Tensor]:
        """Pool and select: ``global`` ``(N, D)`` and ``tse`` ``(N, selection_dims)``."""
        with torch.no_grad():  # a choice has no gradient
            attention = tower.attention(tokens).mean(1)
            candidates, read, k = self._candidates(tower, tokens)
            row = read[:, None, None].expand(-1, 1, attention.shape[2])
            places, chosen = select_tokens(attention.gather(1, row)[:, 0], candidates, k)
        states = self.tokens(tower, tokens)
        rows = states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))
        rows = rows / (rows.norm(dim=-1, keepdim=True) + 1e-8)
        embedded = self.mlp(rows, chosen) + self.fc(rows)
        best = embedded.masked_fill(~chosen[..., None], float('-inf')).amax(1)
        return {'global': self.project(tower.pool(tokens)), 'tse': best}

    def _candidates(self, tower: Tower, tokens: Tokens) -> tuple[Tensor, Tensor, int]:
        """Mark tokens that may be selected, ``(N, P)``; name those read ``(N,)``; count ``k``."""
        count, length = tokens.hidden.shape[:2]
        read = tokens.read
        if read is None:
            read = torch.zeros(count, dtype=torch.long, device=tokens.hidden.device)
        places = torch.arange(length, device=read.device)
        is_read = places == read[:, None]
        if self.side == 'image':
            if tower.grid is not None and length <= tower.grid[0] * tower.grid[1]:
                raise BadValue(f'TokenSelectionNeck needs the attention of a class token, which '
                               f'{type(tower).__name__} does not have')
            return ~is_read, read, max(1, int((length - 1) * self.ratio))
        mask = torch.ones_like(is_read) if tokens.mask is None else tokens.mask.bool()
        last = (places * mask).amax(1, keepdim=True)
        if tokens.read is not None:  # an end token: nothing after it is a word
            last = last.minimum(read[:, None])
        words = mask & (places > 0) & (places < last)
        words = words | (is_read & ~words.any(1, keepdim=True))
        return words, read, max(1, int((self.context_length - 2) * self.ratio))
