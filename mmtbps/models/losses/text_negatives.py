"""Contrast of images with captions that are wrong in a detail."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import mean_of_pairs, unit

__all__ = ['text_negatives_loss']


def text_negatives_loss(image: Tensor, text: Tensor, negatives: Tensor, real: Tensor,
                        temperature: float | Tensor = 0.02, all_text: Tensor | None = None,
                        all_negatives: Tensor | None = None, all_real: Tensor | None = None,
                        first_row: int = 0, same: Tensor | None = None,
                        pair_weights: Tensor | None = None) -> Tensor:
    r"""Cross entropy of each image over its caption, other captions, and wrong captions.

    The image-to-text half of NegCLIP, When and Why Vision-Language Models Behave like
    Bags-Of-Words, and What to Do About It?, https://arxiv.org/abs/2210.01936, section 4: hard
    negative captions join the candidates of every image,

    .. math:: L = -\frac1N \sum_i \log\frac{e^{s(v_i, t_i)/\tau}}
              {\sum_j e^{s(v_i, t_j)/\tau} + \sum_m e^{s(v_i, t^-_m)/\tau}}

    with cosines :math:`s`. The other half has no use for them: they belong to no image. Without
    ``all_text`` an image is compared with its own caption and its own negatives alone.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        negatives: ``(N, K, D)``, wrong captions of each image.
        real: ``(N, K)`` bool, False for fillers.
        temperature: positive number or scalar tensor.
        all_text: ``(M, D)`` captions of all processes; ``None`` compares with none.
        all_negatives: ``(M, K, D)`` of all processes; by default those of each image alone.
        all_real: ``(M, K)`` bool; needed with ``all_negatives``.
        first_row: index of local row 0 among them.
        same: ``(N, M)`` bool, captions of the same person, which are left out beside the own one.
        pair_weights: ``(N,)`` factors of the pairs; the mean is still over N.

    Returns:
        ``()`` loss; 0 for an image that has nothing to be compared with.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> image, text = torch.tensor([[1., 0.]]), torch.tensor([[1., 0.]])
        >>> wrong = torch.tensor([[[1., 0.], [0., 1.]]])
        >>> round(text_negatives_loss(image, text, wrong, torch.tensor([[True, False]]),
        ...                           temperature=1.).item(), 4)
        0.6931
    """
    _check(image, text, negatives, real, temperature)
    own = torch.arange(first_row, first_row + len(image), device=image.device)
    with torch.autocast(image.device.type, enabled=False):
        image = unit(image)
        parts = [(image * unit(text)).sum(-1, keepdim=True)]
        if all_text is not None:
            others = image @ unit(all_text).T
            away = F.one_hot(own, others.shape[1]).bool()
            parts.append(others.masked_fill(away if same is None else away | same, float('-inf')))
        if all_negatives is None:
            wrong = torch.einsum('nd,nkd->nk', image, unit(negatives))
            parts.append(wrong.masked_fill(~real, float('-inf')))
        else:
            wrong = image @ unit(all_negatives).flatten(0, 1).T
            parts.append(wrong.masked_fill(~all_real.flatten()[None], float('-inf')))
        logits = torch.cat(parts, dim=1) / temperature
        target = logits.new_zeros(len(logits), dtype=torch.long)
        return mean_of_pairs(F.cross_entropy(logits, target, reduction='none'), pair_weights)


def _check(image: Tensor, text: Tensor, negatives: Tensor, real: Tensor,
           temperature: float | Tensor) -> None:
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(f'image and text must be (N, D) pairs, got {tuple(image.shape)} and '
                         f'{tuple(text.shape)}')
    if negatives.ndim != 3 or (len(negatives), negatives.shape[2]) != tuple(image.shape):
        raise ValueError(f'negatives must be ({len(image)}, K, {image.shape[1]}), got '
                         f'{tuple(negatives.shape)}')
    if real.shape != negatives.shape[:2]:
        raise ValueError(f'real must be {tuple(negatives.shape[:2])}, got {tuple(real.shape)}')
    if not torch.is_tensor(temperature) and temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
