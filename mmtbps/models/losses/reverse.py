"""Divergence of predictions from true matches with a wide floor: R-ITC of TBPS-CLIP."""

from torch import Tensor

from .gather import GatheredPairs
from .sdm import sdm_loss

__all__ = ['reverse_contrastive_loss']


def reverse_contrastive_loss(image: Tensor, text: Tensor, person_ids: Tensor,
                             temperature: float | Tensor, epsilon: float = 1e-2,
                             gathered: GatheredPairs | None = None,
                             pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the *reversed* image-text contrast (R-ITC), normalised inside.

    An Empirical Study of CLIP for Text-Based Person Search (TBPS-CLIP),
    https://arxiv.org/abs/2308.10045: the divergence :math:`KL(p \| q + \epsilon)` of predictions
    from true matches, of which the first is an expectation, so that a false positive costs most; a
    mean over rows and over both directions. That is half of :func:`sdm_loss` with another floor;
    :math:`q + \epsilon` is not normalised again.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: positive number or scalar tensor.
        epsilon: added to every true match.
        gathered: the joined batch of all processes; default the N pairs alone.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> import torch
        >>> x = torch.eye(2)
        >>> round(reverse_contrastive_loss(x, x, torch.arange(2), 1.0).item(), 4)
        0.649
    """
    return sdm_loss(image, text, person_ids, temperature, gathered=gathered, epsilon=epsilon,
                    pair_weights=pair_weights) / 2
