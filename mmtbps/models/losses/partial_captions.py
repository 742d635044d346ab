"""Contrast with sentences that are true of several images, and of others neither true nor false."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import mean_of_pairs, unit

__all__ = ['count_known', 'partial_caption_loss']


def count_known(asked: Tensor, asked_mask: Tensor, known: Tensor, known_mask: Tensor) -> Tensor:
    """Count how many of the facts that a sentence asks for are among those known of an image.

    Args:
        asked: ``(M, G)`` numbers of facts, no number twice in a row.
        asked_mask: ``(M, G)`` bool, False for fillers.
        known: ``(N, F)`` numbers of facts.
        known_mask: ``(N, F)`` bool.

    Returns:
        ``(N, M)`` int64.

    Example:
        >>> count_known(torch.tensor([[5, 7]]), torch.ones(1, 2) > 0,
        ...             torch.tensor([[7, 9, 5], [7, 8, 0]]),
        ...             torch.tensor([[1, 1, 1], [1, 1, 0]]) > 0)
        tensor([[2],
                [1]])
    """
    every = torch.unique(asked[asked_mask])
    if not len(every):
        return known.new_zeros(len(known), len(asked))

    def table(facts: Tensor, mask: Tensor) -> Tensor:
        column = torch.searchsorted(every, facts).clamp(max=len(every) - 1)
        found = ((every[column] == facts) & mask).float()
        return found.new_zeros(len(facts), len(every)).scatter_reduce(1, column, found, 'amax')
    # A product in float32, exact for counts, and fast on every device.
    return (table(known, known_mask) @ table(asked, asked_mask).T).long()


def partial_caption_loss(rows: Tensor, columns: Tensor, true: Tensor, false: Tensor,
                         temperature: float | Tensor = 0.1,
                         pair_weights: Tensor | None = None) -> Tensor:
    r"""Contrast each row with the columns that are true of it, each against those that are false.

    .. math:: L = -\frac1N \sum_i \frac1{|P_i|} \sum_{j \in P_i}
              \log\frac{e^{s_{ij}/\tau}}{e^{s_{ij}/\tau} + \sum_{k \in F_i} e^{s_{ik}/\tau}}

    with the cosines :math:`s` of rows and their true and false columns :math:`P_i`, :math:`F_i`. As
    in Supervised Contrastive Learning, https://arxiv.org/abs/2004.11362, equation 2, each of
    several true ones has its own term; but none is compared with another, and a column of which
    nothing is known is left out.

    Args:
        rows: ``(N, D)`` images or sentences, any scale. Half precision is computed in float32.
        columns: ``(M, D)`` of the other kind.
        true: ``(N, M)`` bool.
        false: ``(N, M)`` bool, nowhere where ``true`` is.
        temperature: positive number or scalar tensor.
        pair_weights: ``(N,)`` factors of the rows; the mean is still over N.

    Returns:
        ``()`` loss; 0 for a row that nothing is true or nothing false of.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> images, sentence = torch.eye(2), torch.tensor([[1., 0.]])
        >>> true = torch.tensor([[True, False]])
        >>> round(partial_caption_loss(sentence, images, true, ~true, temperature=1.).item(), 4)
        0.3133
    """
    if true.shape != (len(rows), len(columns)) or false.shape != true.shape:
        raise ValueError(f'true and false must be ({len(rows)}, {len(columns)}), got '
                         f'{tuple(true.shape)} and {tuple(false.shape)}')
    if not torch.is_tensor(temperature) and temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    with torch.autocast(rows.device.type, enabled=False):
        logits = unit(rows) @ unit(columns).T / temperature
        compared = true & false.any(1, keepdim=True)
        # A row without a false column would have an infinite gap, and no gradient but NaN.
        masked = logits.masked_fill(~false & compared.any(1, keepdim=True), float('-inf'))
        gaps = masked.logsumexp(1, keepdim=True) - logits
        losses = (F.softplus(gaps) * compared).sum(1) / compared.sum(1).clamp(min=1)
        return mean_of_pairs(losses, pair_weights)
