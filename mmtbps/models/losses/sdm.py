"""Similarity distribution matching, the loss of IRRA, and its adaptive form."""

import torch
from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows

__all__ = ['sdm_loss']


def sdm_loss(image: Tensor, text: Tensor, person_ids: Tensor, temperature: float | Tensor = 0.02,
             adaptive: float = 0.0, gathered: GatheredPairs | None = None,
             epsilon: float = 1e-8, pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the divergence of predicted from true matches, both directions, normalised inside.

    Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval (IRRA),
    https://arxiv.org/abs/2303.12501, equation 4: with :math:`p_i` the softmax of row i of the
    cosines divided by the temperature, and :math:`q_{ij}` even over the pairs of person
    :math:`y_i`,

    .. math:: \frac1N \sum_i \sum_j p_{ij} \log\frac{p_{ij}}{q_{ij} + \epsilon}

    and the loss is the sum of both directions, not their mean. A batch may hold a person any number
    of times.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: positive number or scalar tensor.
        adaptive: A-SDM of FMFA, https://arxiv.org/abs/2509.13754, which has 0.1 here. Where the
            best candidate of a row is another person, the row weighs 1 + ``adaptive`` x (cosine of
            that one - cosine of the first of the same person). Published code also weighs rows
            whose best is a later one of the same person.
        gathered: the joined batch of all processes; default the N pairs alone.
        epsilon: keeps the logarithm of 0 away.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> x = torch.eye(2)
        >>> round(sdm_loss(x, x, torch.arange(2), temperature=1.0).item(), 4)
        8.7438
    """
    if not torch.is_tensor(temperature) and temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    rows = score_rows(image, text, person_ids, gathered)
    log_targets = (rows.targets + epsilon).log()
    loss = 0
    for scores in rows.directions:
        logits = scores / temperature
        divergence = (logits.softmax(1) * (logits.log_softmax(1) - log_targets)).sum(1)
        if adaptive:
            divergence = divergence * (1 + adaptive * _lead_of_others(scores, rows.same))
        loss = loss + mean_of_pairs(divergence, pair_weights)
    return loss


def _lead_of_others(scores: Tensor, same: Tensor) -> Tensor:
    """Compute by how much a row's best candidate leads, ``(N,)``; 0 if it is of the person."""
    best = scores.argmax(1, keepdim=True)
    first = same.to(torch.uint8).argmax(1, keepdim=True)
    lead = scores.gather(1, best) - scores.gather(1, first)
    return lead.masked_fill(same.gather(1, best), 0)[:, 0]
