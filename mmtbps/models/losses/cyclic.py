"""Consistency of similarities within and across sides: C-ITC of TBPS-CLIP."""

import torch
from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows, unit

__all__ = ['cyclic_loss']


def cyclic_loss(image: Tensor, text: Tensor, gathered: GatheredPairs | None = None,
                pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the *cyclic* image-text contrast (C-ITC), normalised inside.

    CyCLIP: Cyclic Contrastive Language-Image Pretraining, https://arxiv.org/abs/2205.14459, as
    TBPS-CLIP has it, https://arxiv.org/abs/2308.10045: with normalised images :math:`I` and
    captions :math:`T`,

    .. math:: L = \tfrac14 \overline{(I I^\top - T T^\top)^2}
              + \tfrac14 \overline{(I T^\top - T I^\top)^2}

    the bar being the mean over all couples of rows. No person is looked at.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        gathered: the joined batch of all processes; default the N pairs alone.
        pair_weights: ``(N,)`` factor of the couples in which each pair is a row; the mean is still
            over all. ``None`` for 1.

    Returns:
        ``()`` loss.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> cyclic_loss(torch.eye(2), torch.eye(2)[:, [1, 0]]).item()
        0.0
    """
    rows = score_rows(image, text, gathered=gathered)
    everyone = gathered or GatheredPairs(image, text, None, 0)
    with torch.autocast(image.device.type, enabled=False):
        within = unit(image) @ unit(everyone.image).T - unit(text) @ unit(everyone.text).T
    across = rows.image_to_text - rows.text_to_image
    if pair_weights is None:
        return (within.square().mean() + across.square().mean()) / 4
    return mean_of_pairs((within.square() + across.square()).mean(1), pair_weights) / 4
