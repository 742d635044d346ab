"""Margins of pictures between a phrase and its opposites, and the marks that two bounds make."""

from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['LABEL_FREE', 'Bounds', 'mark_margins', 'phrase_margins']

#: The least room between the average opposite and the best, as a share of the way between texts.
_LEAST_ROOM = .05


class Bounds(NamedTuple):
    """Two bounds of margins: from ``high`` on a phrase holds, up to ``low`` it does not.

    Args:
        low: At most this: no.
        high: At least this: yes.
        source: ``'label-free'``, or ``'calibrated'`` if labels were seen.
    """

    low: float
    high: float
    source: str = 'calibrated'


#: A picture nearer to the phrase than to each of its opposites has it; one that is no nearer to it
#: than to the average opposite does not. No label is needed for that, and none has confirmed it.
LABEL_FREE = Bounds(0., 1., 'label-free')


def phrase_margins(images: np.ndarray, phrase: np.ndarray, opposites: np.ndarray) -> np.ndarray:
    r"""Compute how far pictures are on the side of a phrase, and not of its opposites.

    .. math:: z = \frac12 + \frac{s - (\bar o + o_{max}) / 2}{\max(o_{max} - \bar o, r)}

    with the score :math:`s` of the phrase, the average :math:`\bar o` and the best
    :math:`o_{max}` of its opposites: 0 at the average, 1 at the best. It has no unit, so that one
    pair of bounds can serve all models. The room :math:`r` is a twentieth of the mean way from the
    phrase to an opposite; it counts where the opposites are one, or nearly so.

    Args:
        images: ``(N, D)`` unit features.
        phrase: ``(D,)`` unit feature of the text.
        opposites: ``(K, D)`` unit features, at least one.

    Returns:
        ``(N,)`` float64.

    Example:
        >>> texts = np.eye(3)
        >>> phrase_margins(np.float64([[1, 0, 0], [0, 1, 0]]), texts[0], texts[1:]).round(2).tolist()
        [14.64, -1.0]
    """  # noqa: E501
    images, phrase, opposites = (np.asarray(part, np.float64)
                                 for part in (images, phrase, opposites))
    if not len(opposites):
        raise BadValue('a phrase without opposites cannot be checked')
    scores, others = images @ phrase, images @ opposites.T
    mean, best = others.mean(1), others.max(1)
    least = _LEAST_ROOM * np.linalg.norm(opposites - phrase, axis=1).mean()
    return .5 + (scores - (mean + best) / 2) / np.maximum(np.maximum(best - mean, least), 1e-12)


def mark_margins(margins: np.ndarray, bounds: Bounds = LABEL_FREE) -> list[str]:
    """Mark margins as ``'yes'``, ``'no'`` or ``'unsure'``.

    Example:
        >>> mark_margins(np.float64([-.2, .5, 1.]))
        ['no', 'unsure', 'yes']
    """
    return ['yes' if margin >= bounds.high else 'no' if margin <= bounds.low else 'unsure'
            for margin in np.asarray(margins).tolist()]
