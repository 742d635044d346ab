"""Conditions that a model is tested under, each a change of captions or of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue

from .captions import (
    contradict_color,
    drop_attribute,
    paraphrase,
    permute_colors,
    truncate,
)
from .pictures import blur, occlude, shrink

__all__ = ['CONDITIONS', 'Condition', 'choose_conditions']


@dataclass(frozen=True)
class Condition:
    """A change of all captions or of pictures of a test set.

    Args:
        name: kind and strength, such as ``'blur 0.06'``.
        caption: makes a caption another one, ``None`` where that cannot be done; it then stays.
        picture: makes a picture another one.
        share: of the pictures that are changed; the others stay as they are.

    Example:
        >>> Condition('truncation 0.5', caption=truncate).kind
        'truncation'
    """

    name: str
    caption: Callable[[str, np.random.Generator], str | None] | None = None
    picture: Callable[[Image.Image, np.random.Generator], Image.Image] | None = None
    share: float = 1.

    @property
    def kind(self) -> str:
        """The name without the strength."""
        return self.name.rpartition(' ')[0] if self.name[-1].isdigit() else self.name


def _strengths(kind: str, values: Sequence[float], name: str, function: Callable,
               side: str, **more: float) -> list[Condition]:
    return [Condition(f'{kind} {value:g}', **{side: partial(function, **{name: value})}, **more)
            for value in values]


#: By name, in the order of the table. A gallery of mixed resolution has half of its pictures far
#: away, which a model may rank by sharpness: a protocol of CRST, on the pictures of other sets.
CONDITIONS = {condition.name: condition for condition in [
    Condition('paraphrase', caption=paraphrase),
    *_strengths('truncation', (.75, .5, .25), 'share', truncate, 'caption'),
    Condition('attribute drop', caption=drop_attribute),
    Condition('color contradiction', caption=contradict_color),
    Condition('color permutation', caption=permute_colors),
    *_strengths('occlusion', (.1, .3, .5), 'share', occlude, 'picture'),
    *_strengths('blur', (.02, .04, .08), 'radius', blur, 'picture'),
    *_strengths('resolution', (64, 32, 16), 'height', shrink, 'picture'),
    *_strengths('mixed resolution', (64, 32, 16), 'height', shrink, 'picture', share=.5)]}


def choose_conditions(words: Sequence[str] | None) -> list[Condition]:
    """Choose the conditions of some kinds or names; all without words.

    Raises:
        BadValue: there is none of that name; the message lists them.
    """
    chosen = []
    for word in words or CONDITIONS:
        found = [one for one in CONDITIONS.values() if word in (one.name, one.kind)]
        if not found:
            kinds = dict.fromkeys(one.kind for one in CONDITIONS.values())
            raise BadValue(f'no condition is called {word!r}; there are: {", ".join(kinds)}')
        chosen += [one for one in found if one not in chosen]
    return chosen
