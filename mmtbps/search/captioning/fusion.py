"""Features of pictures mixed with those of their captions."""

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['check_caption_weight', 'mix_captions']

#: A shorter mixture of two unit features has no direction that means something.
_NOTHING_LEFT = 1e-4


def check_caption_weight(weight: float) -> float:
    """Check the share of the captions and return it.

    Raises:
        BadValue: It is not from 0 to below 1; with 1 a picture would count for nothing.

    Example:
        >>> check_caption_weight(.3)
        0.3
    """
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not 0 <= weight < 1:
        raise BadValue(f'the caption weight is from 0 to below 1, got {weight!r}')
    return float(weight)


def mix_captions(images: np.ndarray, captions: np.ndarray, weight: float) -> np.ndarray:
    """Mix features of pictures with those of their captions, (1 - w) image + w caption.

    The gallery of CECA (CVPR 2026; by its published code, with w = .3). Both are brought to length
    1 before and the mixture after, so that a gallery holds one feature a picture as ever.

    Args:
        images: ``(N, D)`` features.
        captions: ``(N, D)``; a row of zeros where a picture has none, which stays as it is.
        weight: Share of the captions, from 0 to below 1.

    Returns:
        ``(N, D)`` float32 unit features. Where picture and caption are opposite, that of the
        picture.

    Raises:
        BadValue: The weight is none, or the shapes differ.

    Example:
        >>> mix_captions(np.float32([[2, 0], [2, 0]]), np.float32([[0, 9], [0, 0]]), .5).round(3)
        array([[0.707, 0.707],
               [1.   , 0.   ]], dtype=float32)
    """
    weight = check_caption_weight(weight)
    if images.shape != captions.shape:
        raise BadValue(f'features of pictures {images.shape} and captions {captions.shape} are '
                       'not of one shape')
    unit = _unit(np.asarray(images, np.float64))
    mixed = (1 - weight) * unit + weight * _unit(np.asarray(captions, np.float64))
    lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.where(lengths < _NOTHING_LEFT, unit, _unit(mixed)).astype(np.float32)


def _unit(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)
