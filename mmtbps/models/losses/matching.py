"""Image-text matching: hard negatives drawn from a batch, and the loss of their classification."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import full, unit

__all__ = ['draw_hard_negatives', 'matching_loss']

_NOT_COUNTED = -100


def draw_hard_negatives(image: Tensor, text: Tensor, person_ids: Tensor, temperature: float = 0.07,
                        generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    r"""Draw an image for each caption, and a caption for each image, of other people.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651, section 3.2: the more a pair looks
    alike to the towers, the likelier it is drawn,
    :math:`p_{ij} \propto e^{s_{ij} / \tau}` with the cosine :math:`s`. As in APTM,
    https://arxiv.org/abs/2306.02898, pairs of one person are never drawn. Features are normalised
    inside; no gradient comes out of it.

    Args:
        image: ``(N, D)``, any scale.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: of the softmax; the lower, the harder the negatives.
        generator: of the random numbers, on the device of the features; torch's own by default,
            which a run seeds.

    Returns:
        Row of the image drawn for each caption ``(N,)``, and of the caption drawn for each image
        ``(N,)``; -1 where the batch holds no other person.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> images, captions = draw_hard_negatives(torch.eye(2), torch.eye(2), torch.tensor([4, 7]))
        >>> images.tolist(), captions.tolist()
        ([1, 0], [1, 0])
    """
    if image.ndim != 2 or image.shape != text.shape or person_ids.shape != image.shape[:1]:
        raise ValueError('image and text must be (N, D) pairs and person_ids (N,), got '
                         f'{tuple(image.shape)}, {tuple(text.shape)} and '
                         f'{tuple(person_ids.shape)}')
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        scores = unit(text) @ unit(image).T / temperature
        same = person_ids[:, None] == person_ids[None]
        return tuple(_draw(rows, same, generator) for rows in (scores, scores.T))


def _draw(scores: Tensor, same: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw a column of each row, by the softmax over those that are not of the same person."""
    alone = same.all(1)
    # A row without negatives, or of features that are no numbers, would stop the draw (on a GPU the
    # whole process): any number does there, and the loss says what the features are.
    scores = scores.nan_to_num(0.0)
    chances = scores.masked_fill(same & ~alone[:, None], float('-inf')).softmax(1)
    drawn = torch.multinomial(chances, 1, generator=generator)[:, 0]
    return drawn.masked_fill(alone, -1)


def matching_loss(positive: Tensor, negative: Tensor, there: Tensor | None = None,
                  pair_weights: Tensor | None = None) -> Tensor:
    """Compute the cross entropy of pairs classified as "no match" or "match", a mean over all.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651, equation 2.

    Args:
        positive: ``(N, 2)`` logits of pairs that match.
        negative: ``(M, 2)`` logits of pairs that do not; with one image and one caption drawn for
            each pair, M = 2 N.
        there: ``(M,)`` bool, False for negatives that do not count; ``None`` where all do.
        pair_weights: ``(N + M,)`` factor of each pair, those that match first; the mean is still
            over their number. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the pairs that count.

    Raises:
        ValueError: there is not one weight for each pair.

    Example:
        >>> round(matching_loss(torch.tensor([[0., 1.]]), torch.tensor([[1., 0.]])).item(), 4)
        0.3133
    """
    logits = full(torch.cat([positive, negative]))
    labels = torch.cat([logits.new_ones(len(positive), dtype=torch.long),
                        logits.new_zeros(len(negative), dtype=torch.long)])
    if there is not None:
        labels[len(positive):].masked_fill_(~there, _NOT_COUNTED)
    if pair_weights is None:
        return F.cross_entropy(logits, labels, ignore_index=_NOT_COUNTED)
    if pair_weights.shape != labels.shape:
        raise ValueError(f'pair_weights must be ({len(labels)},), got {tuple(pair_weights.shape)}')
    each = F.cross_entropy(logits, labels, ignore_index=_NOT_COUNTED, reduction='none')
    return (pair_weights * each).sum() / (labels != _NOT_COUNTED).sum()
