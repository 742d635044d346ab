"""Settings of image processors: size and colors of the pixels that an image tower takes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['check_colors', 'check_size', 'input_size', 'mean_color']


def input_size(settings: dict[str, Any], vision_size: Any) -> tuple[int, int]:
    """Return (height, width) of the pixels that a processor hands to the image tower.

    Args:
        settings: of the image processor.
        vision_size: ``image_size`` of the image tower, for a processor that does not tell.

    Example:
        >>> input_size(dict(do_center_crop=True, size=dict(shortest_edge=224),
        ...                 crop_size=dict(height=224, width=224)), None)
        (224, 224)
        >>> input_size(dict(size=dict(height=384, width=128)), None)
        (384, 128)
    """
    chosen = settings.get('crop_size' if settings.get('do_center_crop') else 'size') or {}
    chosen = chosen if isinstance(chosen, int) or 'height' in chosen else vision_size
    if isinstance(chosen, dict):
        return int(chosen['height']), int(chosen['width'])
    height, width = chosen if isinstance(chosen, (list, tuple)) else (chosen, chosen)
    return int(height), int(width)


def mean_color(settings: dict[str, Any]) -> tuple[float, ...]:
    """Return the model's mean color, three numbers of 0-1; gray where it subtracts none.

    Example:
        >>> mean_color(dict(do_normalize=False))
        (0.5, 0.5, 0.5)
    """
    mean = settings.get('image_mean') if settings.get('do_normalize', True) else None
    return tuple(map(float, mean)) if mean is not None else (.5, .5, .5)


def check_colors(settings: Mapping[str, Any], source: str, file: str, mean: str = 'image_mean',
                 std: str = 'image_std') -> None:
    """Check mean and standard deviation of the colors, where the pixels are normalised by them.

    Args:
        settings: of the image processor.
        source: model that they are of, for the message.
        file: where they stand.
        mean: key of the first, three numbers; of 0-1 where pixels are.
        std: key of the second, three numbers above 0.

    Raises:
        BadValue: they are none; the file and the key are named.

    Example:
        >>> check_colors(dict(image_std=[.5, .5, 0]), 'clip', 'preprocessor_config.json')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: clip: image_std in its preprocessor_config.json must be three \
numbers above 0, got [0.5, 0.5, 0]
    """
    if not settings.get('do_normalize', True):
        return
    highest = 1. if settings.get('do_rescale', True) else 255.
    for key, wanted in ((mean, f'of 0 to {highest:g}'), (std, 'above 0')):
        values = settings.get(key)
        if values is None:
            continue
        sound = isinstance(values, Sequence) and len(values) == 3 and all(
            isinstance(value, (int, float)) and math.isfinite(value)
            and (0 <= value <= highest if key == mean else value > 0) for value in values)
        if not sound:
            raise BadValue(f'{source}: {key} in its {file} must be three numbers {wanted}, got '
                           f'{values!r}')


def check_size(made: Sequence[int], taken: Sequence[int], source: str, file: str) -> None:
    """Check that an image tower takes the pictures that its processor makes.

    Args:
        made: (height, width) by the processor.
        taken: (height, width) of the image tower.
        source: model that they are of, for the message.
        file: where the settings of the processor stand.

    Raises:
        BadValue: it does not; both sizes are named.

    Example:
        >>> check_size((336, 336), (224, 224), 'clip', 'preprocessor_config.json')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: clip: its preprocessor_config.json makes pictures of 336 x 336, \
its image tower takes 224 x 224
    """
    if tuple(made) != tuple(taken):
        raise BadValue(f'{source}: its {file} makes pictures of {" x ".join(map(str, made))}, its '
                       f'image tower takes {" x ".join(map(str, taken))}')
