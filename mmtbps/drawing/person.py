"""Drawn people and the scenes of their images, and their random choice."""

from dataclasses import dataclass, replace

import numpy as np

from . import attributes as table
from .attributes import RGB, dye, pick

#: Garments whose color can be named, changed and masked.
GARMENTS = ('upper', 'inner', 'lower', 'shoes', 'bag', 'hat', 'scarf')


@dataclass(frozen=True)
class Person:
    """Looks of a person, the same in every image.

    Attributes:
        gender: ``woman`` or ``man``: the words of the captions, shoulders and hips.
        build: Girth, 1 is average.
        height: Share of the frame, 0.93 to 1.
        hem: Lower end of a skirt, dress or coat, in body heights from the crown.
        bag_side: 1 is the person's left hand, -1 the right one.
        colors: Color name of ``upper, accent, inner, lower, shoes, bag, hat, scarf, hair``.
            ``accent`` is the second color of a pattern, or of contrasting sleeves.
        rgb: The colors as drawn, and ``skin``.
    """

    gender: str
    build: float
    height: float
    hair: str
    beard: bool
    hat: str
    glasses: str
    scarf: bool
    upper: str
    sleeves: str
    open: bool
    pattern: str
    contrast_sleeves: bool
    lower: str
    hem: float
    shoes: str
    bag: str
    bag_side: int
    colors: dict[str, str]
    rgb: dict[str, RGB]

    def wears(self, garment: str) -> bool:
        """Tell whether the person has ``garment`` (a word of ``GARMENTS``) at all.

        Raises:
            ValueError: If there is no such garment.
        """
        if garment not in GARMENTS:
            raise ValueError(f'no garment {garment!r}; there are {", ".join(GARMENTS)}')
        has = {'inner': self.open, 'lower': self.lower != 'none', 'bag': self.bag != 'none',
               'hat': self.hat != 'none', 'scarf': self.scarf}
        return has.get(garment, True)


@dataclass(frozen=True)
class Pose:
    """Posture of the person: angles in radians, lengths in body heights.

    ``yaw`` 0 looks into the camera, pi away from it; ``view`` is its nearest quarter. ``action``
    is ``none`` or ``phone`` (one hand raised).
    """

    view: str
    yaw: float
    walking: bool
    stride: float
    arm: float
    elbows: tuple[float, float]
    action: str
    spread: float
    lean: float
    lift: float


@dataclass(frozen=True)
class Occluder:
    """A bollard or a bin before the person; lengths as shares of the image."""

    left: float
    width: float
    top: float
    shade: float

    @property
    def hides_feet(self) -> bool:
        """True if it stands before the middle of the image, where the feet are."""
        return self.left < .38 and self.left + self.width > .62


@dataclass(frozen=True)
class Scene:
    """Everything of an image but the person.

    Attributes:
        camera: 0 to 4; light, tint and contrast differ.
        quality: Of the JPEG file.
        seed: Seed of background, light, blur and noise.
    """

    pose: Pose
    camera: int
    occluder: Occluder | None
    quality: int
    seed: int

    @property
    def feet_hidden(self) -> bool:
        """True if the shoes cannot be seen."""
        return self.occluder is not None and self.occluder.hides_feet

    def tilt(self, drawn: float) -> float:
        """Return the tilt of the camera, in rows per depth; one drawn by lot if it has none."""
        return drawn


def sample_person(rng: np.random.Generator) -> Person:
    """Draw a person by lot from the tables of :mod:`.attributes`.

    >>> sample_person(np.random.default_rng((0, 1))) == sample_person(np.random.default_rng((0, 1)))
    True
    """
    gender = pick(rng, table.GENDERS)
    clothes = _sample_clothes(rng, gender)
    person = Person(
        gender=gender,
        build=float(np.clip(rng.normal(1, .1), .82, 1.28)),
        height=float(rng.uniform(.93, 1)),
        hair=pick(rng, table.HAIR_STYLES[gender]),
        beard=bool(rng.random() < table.BEARD[gender]),
        hat=pick(rng, table.HATS),
        glasses=pick(rng, table.GLASSES),
        scarf=bool(rng.random() < table.SCARF),
        **clothes,
        shoes=pick(rng, table.SHOES),
        bag=pick(rng, table.BAGS),
        bag_side=1 if rng.random() < .5 else -1,
        colors={}, rgb={})
    colors = _sample_colors(rng, person)
    skin = table.SKIN_TONES[int(rng.integers(len(table.SKIN_TONES)))]
    rgb = {slot: dye(rng, (table.HAIR_COLORS if slot == 'hair' else table.COLORS)[name])
           for slot, name in colors.items()}
    return replace(person, colors=colors, rgb={**rgb, 'skin': dye(rng, skin, 3)})


def _sample_clothes(rng: np.random.Generator, gender: str) -> dict:
    dress, skirt = rng.random(2) < (table.DRESS, table.SKIRT)
    upper = pick(rng, table.UPPERS)
    lower = pick(rng, table.LOWERS)
    if gender == 'woman' and dress:
        upper, lower = 'dress', 'none'
    elif upper == 'coat':                     # its hem would hide anything short
        lower = pick(rng, table.LOWERS, without=('shorts',))
    elif gender == 'woman' and skirt:
        lower = 'skirt'
    pattern = pick(rng, table.PATTERNS) if upper in table.PATTERNED else 'plain'
    if upper == 'dress' and pattern == 'logo':
        pattern = 'plain'
    hems = list(table.SKIRT_HEMS.values())
    hem = {'coat': rng.uniform(*table.COAT_HEM), 'dress': rng.uniform(*table.DRESS_HEM)}.get(
        upper, hems[int(rng.integers(len(hems)))])
    contrast = rng.random() < table.CONTRAST_SLEEVES
    return dict(
        upper=upper, lower=lower, pattern=pattern, hem=float(hem),
        sleeves=pick(rng, table.SLEEVES.get(upper, {'long': 1.})),
        open=bool(rng.random() < table.OPEN and upper in ('jacket', 'coat')),
        contrast_sleeves=bool(contrast and pattern == 'plain' and upper in table.CONTRASTED))


def _sample_colors(rng: np.random.Generator, person: Person) -> dict[str, str]:
    weights = color_weights(person)
    upper = pick(rng, weights['upper'])
    rest = {slot: pick(rng, of, without=(upper,) if slot in ('accent', 'inner') else ())
            for slot, of in weights.items() if slot != 'upper'}
    return dict(upper=upper, **rest)


def color_weights(person: Person) -> dict[str, table.Weights]:
    """Return how likely each color of each slot of `Person.colors` is, given what is worn.

    Colors are drawn independently, except that ``accent`` and ``inner`` differ from ``upper``.

    >>> person = sample_person(np.random.default_rng((0, 1)))
    >>> person.colors['shoes'] in color_weights(person)['shoes']
    True
    """
    jeans, shopping = person.lower == 'jeans', person.bag == 'shopping bag'
    return dict(
        upper=table.UPPER_COLORS, accent=table.UPPER_COLORS, inner=table.UPPER_COLORS,
        lower=table.JEANS_COLORS if jeans else table.LOWER_COLORS, shoes=table.SHOE_COLORS,
        bag=table.SHOPPING_BAG_COLORS if shopping else table.BAG_COLORS, hat=table.BAG_COLORS,
        scarf=table.UPPER_COLORS, hair=table.HAIR_COLOR_WEIGHTS)


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw pose, camera and surroundings of one image by lot."""
    occluder = None
    if rng.random() < .06:
        occluder = Occluder(left=float(rng.uniform(0, .8)), width=float(rng.uniform(.12, .3)),
                            top=float(rng.uniform(.62, .82)), shade=float(rng.uniform(40, 190)))
    return Scene(pose=_sample_pose(rng), camera=int(rng.integers(len(table.CAMERAS))),
                 occluder=occluder, quality=int(rng.integers(72, 93)),
                 seed=int(rng.integers(1 << 31)))


def _sample_pose(rng: np.random.Generator) -> Pose:
    view = pick(rng, table.VIEW_WEIGHTS)
    walking = bool(rng.random() < .72)
    elbows = list(rng.uniform(.08, .5, 2))
    action = 'phone' if rng.random() < .15 else 'none'
    if action == 'phone':
        elbows[int(rng.integers(2))] = rng.uniform(1.5, 2.1)
    stride = rng.uniform(.12, .42) * rng.choice([-1, 1]) if walking else rng.normal(0, .03)
    return Pose(view=view, yaw=float(table.VIEWS[view] + rng.uniform(-.5, .5)), walking=walking,
                stride=float(stride), arm=float(rng.uniform(.1, .5) if walking
                                                else rng.uniform(0, .12)),
                elbows=(float(elbows[0]), float(elbows[1])), action=action,
                spread=float(rng.uniform(0, .02 if walking else .045)),
                lean=float(rng.normal(0, .006)), lift=float(rng.uniform(.1, .8)))
