"""Hardness-aware InfoNCE."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import unit
from .soft_label import blend_targets

__all__ = ['info_nce', 'SAME_PERSON_CHOICES']

SAME_PERSON_CHOICES = ('negative', 'masked', 'positive')


def info_nce(image: Tensor,
             text: Tensor,
             temperature: float | Tensor = 0.005,
             person_ids: Tensor | None = None,
             same_person: str = 'negative',
             all_image: Tensor | None = None,
             all_text: Tensor | None = None,
             all_person_ids: Tensor | None = None,
             first_row: int = 0,
             pair_weights: Tensor | None = None,
             soft_share: float = 0.0,
             negative_weights: Tensor | None = None) -> Tensor:
    r"""Symmetric InfoNCE between images and texts, normalised inside.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084: with cosine similarity :math:`s` and temperature
    :math:`\tau`,

    .. math:: L_{i2t} = -\frac1N \sum_i \log\frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}

    and :math:`L = (L_{i2t} + L_{t2i}) / 2`. A low temperature weighs the gradient of a
    negative by how hard it is, hence *hardness-aware*.

    Row i of ``image`` and row i of ``text`` must be a pair. In several processes, pass the
    local rows plus the gathered features: memory is then O(local x global), and the mean over
    processes equals the loss of the joined batch.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``.
        temperature: positive number or scalar tensor.
        person_ids: ``(N,)`` integers; needed unless ``same_person='negative'``.
        same_person: what other pairs of the same person are: ``'negative'`` as in the paper,
            ``'masked'`` (neither), or ``'positive'`` (the target is spread over all of them).
        all_image: ``(M, D)`` candidates of all processes; default ``image``.
        all_text: ``(M, D)``; default ``text``.
        all_person_ids: ``(M,)``; default ``person_ids``.
        first_row: index of local row 0 among the candidates.
        pair_weights: ``(N,)`` factors of the two terms of each pair; the mean is still over N, so
            that a weight acts on its own pair alone. ``None`` for 1 everywhere. As candidates all
            pairs count alike.
        soft_share: share of soft labels in the targets, see :func:`blend_targets`; not with
            ``'masked'``.
        negative_weights: ``(N, M)`` factors above 0 of the exponential of each candidate that is a
            negative, see :func:`~mmtbps.models.losses.neighbour_weights`; those of targets are
            passed over. ``None`` for 1 everywhere.

    Returns:
        ``()`` loss.

    Raises:
        ValueError: shapes differ, a value is out of its range, or person ids are missing.

    Example:
        >>> x = torch.eye(2)
        >>> round(info_nce(x, x, temperature=1.0).item(), 4)
        0.3133
    """
    _check(image, text, temperature, person_ids, same_person)
    _check_targets(image, same_person, pair_weights, soft_share)
    candidates = len(image if all_image is None else all_image)
    if negative_weights is not None and negative_weights.shape != (len(image), candidates):
        raise ValueError(f'negative_weights must be ({len(image)}, {candidates}), got '
                         f'{tuple(negative_weights.shape)}')
    with torch.autocast(image.device.type, enabled=False):
        image, text = unit(image), unit(text)
        all_image = image if all_image is None else unit(all_image)
        all_text = text if all_text is None else unit(all_text)
        own = torch.arange(first_row, first_row + len(image), device=image.device)
        same = None
        if same_person != 'negative':
            everyone = person_ids if all_person_ids is None else all_person_ids
            same = person_ids[:, None] == everyone[None]
        image_to_text = _cross_entropy(image @ all_text.T / temperature, own, same, same_person,
                                       pair_weights, soft_share, negative_weights)
        text_to_image = _cross_entropy(text @ all_image.T / temperature, own, same, same_person,
                                       pair_weights, soft_share, negative_weights)
        return (image_to_text + text_to_image) / 2


def _cross_entropy(logits: Tensor, own: Tensor, same: Tensor | None, same_person: str,
                   pair_weights: Tensor | None, soft_share: float,
                   negative_weights: Tensor | None) -> Tensor:
    targets = own
    if same_person == 'positive':
        targets = same.to(logits.dtype) / same.sum(1, keepdim=True)
    if same_person == 'masked':
        own_column = F.one_hot(own, logits.shape[1]).bool()
        logits = logits.masked_fill(same & ~own_column, float('-inf'))
    if soft_share:
        if targets is own:
            targets = F.one_hot(own, logits.shape[1]).to(logits.dtype)
        targets = blend_targets(logits, targets, soft_share)
    if negative_weights is not None:
        positive = same if same_person == 'positive' else F.one_hot(own, logits.shape[1]).bool()
        logits = logits + negative_weights.log().masked_fill(positive, 0)
    if pair_weights is None:
        return F.cross_entropy(logits, targets)
    return (pair_weights * F.cross_entropy(logits, targets, reduction='none')).mean()


def _check_targets(image: Tensor, same_person: str, pair_weights: Tensor | None,
                   soft_share: float) -> None:
    if pair_weights is not None and pair_weights.shape != image.shape[:1]:
        raise ValueError(f'pair_weights must be ({len(image)},), got {tuple(pair_weights.shape)}')
    if not 0 <= soft_share <= 1:
        raise ValueError(f'soft_share must lie in [0, 1], got {soft_share}')
    if soft_share and same_person == 'masked':
        raise ValueError("soft_share gives every pair a part of the target, same_person='masked' "
                         'leaves some out: take one of them')


def _check(image: Tensor, text: Tensor, temperature: float | Tensor, person_ids: Tensor | None,
           same_person: str) -> None:
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(f'image and text must be (N, D) pairs, got {tuple(image.shape)} and '
                         f'{tuple(text.shape)}')
    if not torch.is_tensor(temperature) and temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    if same_person not in SAME_PERSON_CHOICES:
        raise ValueError(f'same_person must be one of {SAME_PERSON_CHOICES}, got {same_person!r}')
    if same_person != 'negative' and (person_ids is None or len(person_ids) != len(image)):
        raise ValueError(f'same_person={same_person!r} needs person_ids of length {len(image)}')
