"""Labels of human parsing, mapped to parts by their names."""

import re
from collections.abc import Mapping

import numpy as np

from mmtbps.errors import BadValue

from .base import PARTS

__all__ = ['part_table']

#: Labels of ATR, LIP, CIHP, Fashionpedia and others, without sides.
_LABELS = {
    'background': 'background, unlabelled, unlabeled, none',
    'hair': 'hair',
    'face': 'face, face neck, head, sunglasses, glasses, eyeglasses, upper lip, lower lip, '
            'upper teeth, lower teeth, tongue, nose, eye, eyebrow, ear, mouth',
    'skin': 'skin, torso skin, neck, arm, upper arm, lower arm, hand, leg, upper leg, lower leg, '
            'foot, feet',
    'hat': 'hat, cap, headwear, helmet',
    'upper': 'upper clothes, upper clothing, upper cloth, upper body clothes, top, shirt, t shirt, '
             'tshirt, blouse, shirt blouse, top t shirt sweatshirt, sweater, sweatshirt, hoodie, '
             'cardigan, jacket, coat, blazer, suit, vest, cape, jumper, outer, outerwear, hood, '
             'collar, lapel, epaulette, sleeve, neckline',
    'lower': 'pants, trousers, jeans, shorts, skirt, lower clothes, lower clothing, lower cloth, '
             'bottom, leggings',
    'full': 'dress, jumpsuit, romper, bodysuit, overall, one piece',
    'shoes': 'shoe, boot, footwear, sandal, sneaker, heels',
    'bag': 'bag, handbag, purse, backpack, wallet, bag wallet',
    'other': 'belt, scarf, sock, glove, tie, watch, umbrella, accessory, accessories, necklace, '
             'bracelet, ring, earring, stockings, tights, tights stockings, leg warmer, headband, '
             'headband head covering hair accessory, pocket, buckle, zipper, applique, bead, bow, '
             'flower, fringe, ribbon, rivet, ruffle, sequin, tassel, apparel, bra, swimwear',
}
_SIDES = 'left', 'right', 'l', 'r'


def _key(label: str) -> str:
    """Return a label without sides, signs, capitals and plurals."""
    words = [word for word in re.split('[^a-z]+', label.lower()) if word not in _SIDES]
    return ' '.join(word.removesuffix('s') for word in words if word)


_PARTS = {_key(label): part for part, labels in _LABELS.items() for label in labels.split(',')}


def part_table(labels: Mapping[int, str], own: Mapping[str, str] | None = None) -> np.ndarray:
    """Map the labels of a model to parts.

    Args:
        labels: Number -> name, as in a config of transformers.
        own: Name of a label -> part, where the name alone does not tell.

    Returns:
        uint8 (largest number + 1,), indices of `PARTS`.

    Raises:
        BadValue: If labels cannot be mapped, all of them are named; if ``own`` names a label or a
            part that there is not.

    >>> [PARTS[i] for i in part_table({0: 'Background', 1: 'Upper-clothes', 2: 'Left-shoe'})]
    ['background', 'upper', 'shoes']
    """
    own = dict(own or {})
    if strangers := [name for name in own if name not in labels.values()]:
        raise BadValue(f'labels names {", ".join(map(repr, strangers))}, but the model has '
                       f'{", ".join(labels.values())}')
    if wrong := [part for part in own.values() if part not in PARTS]:
        raise BadValue(f'no part is called {wrong[0]!r}; there are {", ".join(PARTS)}')
    parts = {number: own.get(name) or _PARTS.get(_key(name)) for number, name in labels.items()}
    if unknown := [labels[number] for number, part in parts.items() if part is None]:
        raise BadValue(f'labels that no part is known for: {", ".join(unknown)}. Give them one of '
                       f'{", ".join(PARTS)}: labels={{{unknown[0]!r}: {PARTS[-1]!r}, ...}}')
    table = np.zeros(max(parts) + 1, np.uint8)
    for number, part in parts.items():
        table[number] = PARTS.index(part)
    return table

