"""Attributes of a drawn person: every value with its weight.

Only three tables look at the word the captions will use (woman or man), and only so far that the
word has something visible to stand for: hair styles, the dress and the skirt, and the beard, next
to the shoulder and hip widths of :mod:`.figure`. Skin, build, height, colors, bags, hats, glasses
and shoes are drawn from one table for everybody and independently of each other.
"""

import numpy as np

RGB = tuple[float, float, float]
Weights = dict[str, float]

#: The 16 clothing colors, in sRGB.
COLORS: dict[str, RGB] = {
    'black': (28, 28, 30), 'white': (236, 236, 234), 'gray': (132, 134, 138),
    'red': (192, 32, 38), 'blue': (40, 84, 188), 'dark blue': (28, 38, 84),
    'light blue': (138, 184, 226), 'green': (44, 136, 66), 'olive': (92, 96, 50),
    'yellow': (232, 204, 54), 'orange': (232, 122, 34), 'pink': (236, 142, 172),
    'purple': (112, 58, 146), 'brown': (108, 70, 42), 'beige': (206, 184, 146),
    'maroon': (104, 26, 40),
}
HAIR_COLORS: dict[str, RGB] = {
    'black': (24, 20, 20), 'dark brown': (58, 38, 28), 'brown': (98, 66, 40),
    'blonde': (206, 172, 104), 'gray': (160, 158, 156), 'red': (150, 66, 34),
}
#: Five skin tones, equally likely and never captioned.
SKIN_TONES: tuple[RGB, ...] = ((246, 214, 188), (228, 184, 148), (196, 146, 108), (146, 98, 66),
                               (92, 62, 46))

#: Clothing that hangs from the shoulders.
UPPER_COLORS: Weights = {
    'black': .16, 'white': .13, 'gray': .11, 'red': .09, 'blue': .08, 'dark blue': .06,
    'light blue': .06, 'green': .06, 'olive': .03, 'yellow': .05, 'orange': .04, 'pink': .05,
    'purple': .04, 'brown': .03, 'beige': .03, 'maroon': .03,
}
LOWER_COLORS: Weights = {
    'black': .28, 'dark blue': .12, 'blue': .14, 'light blue': .06, 'gray': .11, 'white': .07,
    'beige': .08, 'brown': .05, 'red': .03, 'green': .03, 'olive': .03, 'pink': .02,
}
JEANS_COLORS: Weights = {'blue': .45, 'dark blue': .25, 'light blue': .18, 'black': .12}
SHOE_COLORS: Weights = {'black': .32, 'white': .28, 'gray': .12, 'brown': .12, 'red': .06,
                        'blue': .06, 'pink': .04}
BAG_COLORS: Weights = {'black': .27, 'brown': .14, 'red': .11, 'gray': .1, 'blue': .1,
                       'white': .06, 'pink': .06, 'green': .06, 'yellow': .05, 'dark blue': .05}
SHOPPING_BAG_COLORS: Weights = {'white': .5, 'red': .2, 'yellow': .15, 'green': .15}
HAIR_COLOR_WEIGHTS: Weights = {'black': .4, 'dark brown': .14, 'brown': .2, 'blonde': .13,
                               'gray': .08, 'red': .05}

GENDERS: Weights = {'woman': .5, 'man': .5}
HAIR_STYLES: dict[str, Weights] = {
    'woman': {'long': .32, 'shoulder-length': .22, 'ponytail': .22, 'bun': .1, 'short': .14},
    'man': {'short': .78, 'bald': .08, 'shoulder-length': .08, 'ponytail': .03, 'long': .03},
}
BEARD = {'woman': 0., 'man': .18}
HATS: Weights = {'none': .82, 'cap': .11, 'beanie': .07}
GLASSES: Weights = {'none': .78, 'glasses': .13, 'sunglasses': .09}
SCARF = .07

UPPERS: Weights = {'t-shirt': .31, 'shirt': .18, 'jacket': .21, 'hoodie': .12, 'coat': .08,
                   'sweater': .09, 'tank top': .05}
LOWERS: Weights = {'trousers': .38, 'jeans': .32, 'shorts': .22, 'leggings': .08}
#: A woman wears a dress instead of the upper garment, or a skirt instead of the lower one.
DRESS, SKIRT = .12, .2
SLEEVES: dict[str, Weights] = {
    't-shirt': {'short': 1.}, 'tank top': {'none': 1.}, 'shirt': {'long': .6, 'short': .4},
    'dress': {'short': .4, 'none': .35, 'long': .25},
}
#: Garments with a pattern; all others are plain.
PATTERNS: Weights = {'plain': .56, 'striped': .16, 'plaid': .08, 'logo': .13, 'dotted': .03,
                     'block': .04}
PATTERNED = ('t-shirt', 'shirt', 'sweater', 'tank top', 'dress')
CONTRAST_SLEEVES = .12          # of plain garments in CONTRASTED
CONTRASTED = ('jacket', 'hoodie', 't-shirt')
OPEN = .55                      # of jackets and coats
SKIRT_HEMS = {'short': .62, 'knee length': .68, 'long': .85}   # in body heights from the crown
COAT_HEM, DRESS_HEM = (.62, .74), (.60, .84)

SHOES: Weights = {'sneakers': .5, 'shoes': .34, 'boots': .16}
BAGS: Weights = {'none': .38, 'backpack': .22, 'shoulder bag': .13, 'handbag': .11,
                 'shopping bag': .1, 'suitcase': .06}

VIEWS = {'front': 0., 'back': np.pi, 'left': -np.pi / 2, 'right': np.pi / 2}
VIEW_WEIGHTS: Weights = {'front': 1 / 3, 'back': 1 / 3, 'left': 1 / 6, 'right': 1 / 6}
CAMERAS = 'abcde'


def pick(rng: np.random.Generator, weights: Weights, without: tuple[str, ...] = ()) -> str:
    """Draw one key of ``weights``, as likely as its weight, except the keys ``without``.

    >>> pick(np.random.default_rng(0), {'cap': .0, 'beanie': 1.})
    'beanie'
    """
    names = [name for name in weights if name not in without]
    cumulated = np.cumsum([weights[name] for name in names])
    return names[int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side='right'))]


def dye(rng: np.random.Generator, color: RGB, spread: float = 5.4) -> RGB:
    """Draw the shade of one piece of cloth: a little lighter or darker, a little off the color."""
    mixed = np.asarray(color) * rng.uniform(.88, 1.1) + rng.normal(0, spread, 3)
    return tuple(float(v) for v in np.clip(mixed, 4, 250))
