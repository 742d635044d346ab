"""Mixup of pairs in training: of hidden states, or of pixels and words as published."""

from dataclasses import dataclass, replace

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .backbones.base import Tokens

__all__ = ['FeatureMixup', 'Mixing', 'PixelMixup', 'mix', 'join_masks', 'concatenate_captions']

#: Mixed pairs take the place of the originals, or are a second batch beside theirs.
MODES = ('replace', 'add')
#: Partners are of the pairs themselves, or rows that are nothing else.
PARTNERS = ('batch', 'outside')


def mix(values: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """Mix each row with its partner: ``(1 - weight) * values + weight * values[partner]``.

    Args:
        values: ``(M, ...)``; the first N rows are mixed, each with any of the M.
        partner: ``(N,)`` row indices.
        weight: ``(N,)`` in [0, 1]; rows of weight 0 are returned bit for bit.

    Returns:
        ``(N, ...)``.

    Example:
        >>> mix(torch.tensor([[0.], [4.]]), torch.tensor([1, 0]), torch.tensor([.25, 0.])).tolist()
        [[1.0], [4.0]]
    """
    weight = weight.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
    own = values[:len(weight)]
    mixed = (1 - weight) * own + weight * values[partner]
    return torch.where(weight > 0, mixed, own)


def join_masks(mask: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """Join the attention masks of mixed captions: a position counts if either caption reaches it.

    Args:
        mask: ``(M, L)`` bool, True where there is a token; the first N rows are of mixed captions.
        partner: ``(N,)`` row indices.
        weight: ``(N,)``; rows of weight 0 keep their own mask.

    Returns:
        ``(N, L)`` bool.
    """
    return mask[:len(weight)] | (mask[partner] & (weight > 0)[:, None])


def concatenate_captions(input_ids: Tensor, mask: Tensor, partner: Tensor, weight: Tensor,
                         max_length: int, pad_token_id: int = 0) -> tuple[Tensor, Tensor]:
    """Append the partner's words to the captions of mixed rows, keeping one start and one end.

    Args:
        input_ids: ``(M, L)``, each row ``[CLS] words [SEP]`` and padding; the first N are joined,
            each with any of the M.
        mask: ``(M, L)`` bool.
        partner: ``(N,)`` row indices.
        weight: ``(N,)``; rows of weight 0 keep their caption.
        max_length: longer results are cut, their end token kept.
        pad_token_id: filler.

    Returns:
        ``(N, L2)`` ids and mask, L2 no less than L, up to ``max_length``: a tower may need all of
        its places.
    """
    rows = [ids[keep] for ids, keep in zip(input_ids, mask, strict=True)]
    joined = []
    for row, other, mixed in zip(rows[:len(weight)], partner.tolist(), (weight > 0).tolist(),
                                 strict=True):
        both = torch.cat([row[:-1], rows[other][1:]]) if mixed else row
        if len(both) > max_length:
            both = torch.cat([both[:max_length - 1], both[-1:]])
        joined.append(both)
    lengths = torch.tensor([len(row) for row in joined], device=input_ids.device)
    ids = torch.nn.utils.rnn.pad_sequence(joined, batch_first=True, padding_value=pad_token_id)
    lacking = min(input_ids.shape[1], max_length) - ids.shape[1]
    ids = torch.nn.functional.pad(ids, (0, max(lacking, 0)), value=pad_token_id)
    return ids, torch.arange(ids.shape[1], device=ids.device)[None] < lengths[:, None]


@dataclass(frozen=True)
class Mixing:
    """Partner and weight of each row of a batch, and the rows to encode for it.

    Args:
        partner: ``(N,)`` places of the partners among ``rows``.
        weight: ``(N,)`` weight of the partner; rows of weight 0 stay as they are.
        layer: mix hidden states after this layer; ``None`` where the inputs are mixed already.
        rows: ``(M,)`` rows of the batch to encode, the N to be mixed first; ``None`` for all N.
    """

    partner: Tensor
    weight: Tensor
    layer: int | None = None
    rows: Tensor | None = None

    def chunk(self, start: int, stop: int) -> 'Mixing':
        """Return the mixing of rows ``start`` to ``stop - 1`` of the batch alone.

        Where hidden states are mixed, the partners' rows are encoded too, behind the chunk's own.
        """
        own = torch.arange(start, stop, device=self.partner.device)
        if self.layer is None:
            return replace(self, partner=own - start, weight=self.weight[start:stop], rows=own)
        return replace(self, partner=own - start + len(own), weight=self.weight[start:stop],
                       rows=torch.cat([own, self.partner[own]]))

    def mix_weights(self, weights: Tensor | None) -> Tensor | None:
        """Mix the weights of M pairs in a loss as the pairs are mixed, to ``(N,)``."""
        return None if weights is None else mix(weights, self.partner, self.weight)

    def mix_tokens(self, tokens: Tokens) -> Tokens:
        """Mix the hidden states of ``(M, P, D)`` tokens and join their masks, to ``(N, P, D)``.

        Row i keeps its own place of the pooled token.
        """
        if self.layer is None:
            return tokens
        mask, read, count = tokens.mask, tokens.read, len(self.weight)
        return replace(tokens, hidden=mix(tokens.hidden, self.partner, self.weight), before=None,
                       mask=None if mask is None else join_masks(mask, self.partner, self.weight),
                       read=None if read is None else read[:count])


class _Mixup(BaseModule):
    """Base of mixups: draws who is mixed with whom and how much."""

    layer: int | None = None

    def __init__(self, prob: float, weight: float, beta: float | None, mode: str = 'replace',
                 partner: str = 'batch'):
        super().__init__()
        if not 0 <= prob <= 1 or not 0 <= weight <= 1:
            raise ValueError(f'prob and weight must lie in [0, 1], got {prob} and {weight}')
        if beta is not None and beta <= 0:
            raise ValueError(f'beta must be positive, got {beta}')
        if mode not in MODES or partner not in PARTNERS:
            raise BadValue(f'mode must be one of {MODES} and partner one of {PARTNERS}, got '
                           f'{mode!r} and {partner!r}')
        self.prob, self.weight, self.beta = prob, weight, beta
        self.mode, self.partner = mode, partner

    def draw(self, size: int, device: torch.device) -> Mixing:
        """Draw partner and weight of each pair, from torch's global generator.

        Args:
            size: rows of the batch. With ``partner='outside'`` the first half of them are the
                pairs, the others are partners alone.
            device: of the result.

        Raises:
            BadValue: a batch of one row has no partner outside.
        """
        partner, count = torch.randperm(size), size
        if self.partner == 'outside':
            count = size // 2
            if not count:
                raise BadValue("mixup with partner='outside' takes half of a batch for partners, "
                               f'and this one has {size} pair; take a larger batch_size')
            partner = count + torch.randperm(size - count)[:count]
        weight = torch.full((count,), self.weight)
        if self.beta is not None:
            weight = torch.distributions.Beta(self.beta, self.beta).sample((count,))
        weight = weight * (torch.rand(count) < self.prob)
        return Mixing(partner.to(device, non_blocking=True), weight.to(device, non_blocking=True),
                      self.layer)

    def mix_inputs(self, images: Tensor, input_ids: Tensor, mask: Tensor,
                   mixing: Mixing) -> tuple[Tensor, Tensor, Tensor]:
        """Mix images ``(M, 3, H, W)`` and captions ``(M, L)``; by default not at all."""
        return images, input_ids, mask


@MODELS.register_module()
class FeatureMixup(_Mixup):
    """Feature-level mixup of both towers, with one partner and one weight a pair.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084: hidden states of a pair and of a random partner pair are
    averaged, in the image and in the text tower alike, and stay each other's positive.

    With partners of the batch a mixed pair finds the other half of itself among its negatives.
    ``partner='outside'`` takes the first half of a batch for pairs and the second for partners
    alone, of which only the layers up to ``layer`` are computed: give the loader twice the
    ``batch_size``. The published command draws partners from the whole training set, and its mixed
    pairs replace the originals.

    Args:
        prob: share of rows that are mixed; ``FeatureMixupHook`` may schedule it.
        weight: weight of the partner.
        beta: draw the weight from Beta(beta, beta) instead.
        layer: mix after this transformer layer; 0 is after the embedding.
        mode: ``'replace'``: mixed pairs take the place of their originals; ``'add'``: the originals
            are one batch and the pairs as ``'replace'`` has them another, each with its own
            negatives, and every loss is the mean of both. The towers run twice, unless ``prob`` is
            0. It is meant for ``prob=1``: rows that are not mixed stand in both.
        partner: ``'batch'`` or ``'outside'``.

    Raises:
        ValueError: a value is out of its range.

    Example:
        >>> mixup = FeatureMixup(prob=1.0)
        >>> mixup.draw(4, torch.device('cpu')).weight.tolist()
        [0.5, 0.5, 0.5, 0.5]
    """

    def __init__(self, prob: float = 0.5, weight: float = 0.5, beta: float | None = None,
                 layer: int = 0, mode: str = 'replace', partner: str = 'batch'):
        super().__init__(prob, weight, beta, mode, partner)
        if layer < 0:
            raise ValueError(f'layer must be 0 (embedding) or more, got {layer}')
        self.layer = layer


@MODELS.register_module()
class PixelMixup(_Mixup):
    """Mixup of pixels with concatenation of captions, as the published command does.

    Args:
        prob: share of rows that are mixed.
        weight: weight of the partner's pixels.
        beta: draw the weight from Beta(beta, beta) instead.
        max_length: tokens a concatenated caption may have.
        pad_token_id: filler of shorter ones.
        mode: ``'replace'`` or ``'add'``, as in :class:`FeatureMixup`.
        partner: ``'batch'`` or ``'outside'``, as in :class:`FeatureMixup`.
    """

    def __init__(self, prob: float = 0.5, weight: float = 0.5, beta: float | None = None,
                 max_length: int = 64, pad_token_id: int = 0, mode: str = 'replace',
                 partner: str = 'batch'):
        super().__init__(prob, weight, beta, mode, partner)
        self.max_length, self.pad_token_id = max_length, pad_token_id

    def mix_inputs(self, images: Tensor, input_ids: Tensor, mask: Tensor,
                   mixing: Mixing) -> tuple[Tensor, Tensor, Tensor]:
        """Mix the pixels and append the partner's caption."""
        ids, mask = concatenate_captions(input_ids, mask, mixing.partner, mixing.weight,
                                         self.max_length, self.pad_token_id)
        return mix(images, mixing.partner, mixing.weight), ids, mask
