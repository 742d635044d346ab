"""Margins of pictures between a phrase and its opposites, and the marks that two bounds make."""

from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['LABEL_FREE', 'LABEL_FREE_THING', 'Bounds', 'Margins', 'mark_margins', 'phrase_margins']

#: The least room between the average opposite and the best, as a share of the way between texts.
_LEAST_ROOM = .05


class Bounds(NamedTuple):
    """Two bounds of margins: from ``high`` on a phrase holds, up to ``low`` it does not.

    Args:
        low: At most this: no.
        high: At least this: yes.
        source: ``'label-free'``, then both are in rooms of the picture itself; or ``'calibrated'``
            if labels were seen, and both are in the unit of the margins.
    """

    low: float
    high: float
    source: str = 'calibrated'


#: A picture nearer to the phrase than to each of its opposites has it; one that is no nearer to it
#: than to the average opposite does not. No label is needed for that, and none has confirmed it.
LABEL_FREE = Bounds(-.5, .5, 'label-free')
#: That somebody has no bag is in no caption that a model was trained with: without labels nothing
#: tells that what one can do without is absent.
LABEL_FREE_THING = Bounds(-np.inf, .5, 'label-free')


class Margins(NamedTuple):
    """Margins of pictures between a phrase and its opposites.

    Args:
        sides: ``(N,)`` of the phrase, midway between the average opposite and the best being 0.
        rooms: ``(N,)`` between both, for each picture.
    """

    sides: np.ndarray
    rooms: np.ndarray


def phrase_margins(images: np.ndarray, phrase: np.ndarray, opposites: np.ndarray) -> Margins:
    r"""Compute how far pictures are on the side of a phrase, and not of its opposites.

    .. math:: m = \frac{s - (\bar o + o_{max}) / 2}{w}

    with the score :math:`s` of the phrase, the average :math:`\bar o` and the best
    :math:`o_{max}` of its opposites, and the mean way :math:`w` from the phrase to an opposite, so
    that it has no unit of the model. The room :math:`(o_{max} - \bar o) / w` is at least a
    twentieth, which counts where the opposites are one, or nearly so.

    Args:
        images: ``(N, D)`` unit features.
        phrase: ``(D,)`` unit feature of the text.
        opposites: ``(K, D)`` unit features, at least one.

    Raises:
        BadValue: There are no opposites.

    Example:
        >>> texts = np.eye(3)
        >>> margins = phrase_margins(np.float64([[1, 0, 0], [0, 1, 0]]), texts[0], texts[1:])
        >>> margins.sides.round(2).tolist(), mark_margins(margins)
        ([0.71, -0.53], ['yes', 'no'])
    """
    images, phrase, opposites = (np.asarray(part, np.float64)
                                 for part in (images, phrase, opposites))
    if not len(opposites):
        raise BadValue('a phrase without opposites cannot be checked')
    scores, others = images @ phrase, images @ opposites.T
    mean, best = others.mean(1), others.max(1)
    way = max(np.linalg.norm(opposites - phrase, axis=1).mean(), 1e-12)
    return Margins((scores - (mean + best) / 2) / way,
                   np.maximum((best - mean) / way, _LEAST_ROOM))


def mark_margins(margins: Margins, bounds: Bounds = LABEL_FREE) -> list[str]:
    """Mark margins as ``'yes'``, ``'no'`` or ``'unsure'``.

    Bounds that labels were seen for are the same for all pictures. Without labels nothing is known
    of the unit, and each picture is measured by its own room; that orders pictures worse, since the
    room is least where nothing is seen of the opposites.

    Args:
        margins: Of pictures.
        bounds: Of the phrase.

    Example:
        >>> margins = Margins(np.float64([-.2, 0., .1]), np.float64([.1, .1, .1]))
        >>> mark_margins(margins), mark_margins(margins, Bounds(-.3, 0.))
        (['no', 'unsure', 'yes'], ['unsure', 'yes', 'yes'])
    """
    sides = margins.sides / margins.rooms if bounds.source == LABEL_FREE.source else margins.sides
    return ['yes' if side >= bounds.high else 'no' if side <= bounds.low else 'unsure'
            for side in sides.tolist()]
