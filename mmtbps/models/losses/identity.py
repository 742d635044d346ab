"""Classification of people."""

import torch.nn.functional as F
from torch import Tensor

from mmtbps.errors import BadValue

from .scores import mean_of_pairs

__all__ = ['identity_loss']


def identity_loss(image_logits: Tensor, text_logits: Tensor, person_ids: Tensor,
                  pair_weights: Tensor | None = None) -> Tensor:
    """Compute the mean of the cross entropies of both sides, one class a person.

    Dual-Path Convolutional Image-Text Embeddings with Instance Loss,
    https://arxiv.org/abs/1711.05535. Nothing is normalised, no label smoothed.

    Args:
        image_logits: ``(N, C)`` of the images; one classifier for both sides.
        text_logits: ``(N, C)`` of the captions.
        person_ids: ``(N,)`` in 0..C-1, as data sets number the people of a training split.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows.

    Raises:
        BadValue: a person id is no class; seen on the CPU only, a GPU would have to be waited for.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2., 0.], [0., 0.]])
        >>> round(identity_loss(logits, logits, torch.tensor([0, 1])).item(), 4)
        0.41
    """
    if person_ids.device.type == 'cpu':
        check_classes(person_ids, image_logits.shape[1])
    if pair_weights is None:
        return (F.cross_entropy(image_logits, person_ids)
                + F.cross_entropy(text_logits, person_ids)) / 2
    return mean_of_pairs(sum(F.cross_entropy(logits, person_ids, reduction='none')
                             for logits in (image_logits, text_logits)), pair_weights) / 2


def check_classes(person_ids: Tensor, num_classes: int) -> None:
    """Check on the CPU that each person is a class.

    Raises:
        BadValue: one is not.
    """
    outside = person_ids[(person_ids < 0) | (person_ids >= num_classes)]
    if len(outside):
        raise BadValue(f'person {int(outside[0])} is none of the {num_classes} classes: '
                       'num_classes must be the number of people of the training split, which its '
                       'data set has as metainfo["num_persons"] and numbers from 0')
