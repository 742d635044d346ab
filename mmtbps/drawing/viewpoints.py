"""Scenes of version 2: many cameras, any direction, people in front, boxes that cut people off."""

from dataclasses import dataclass, fields, replace

import numpy as np

from .attributes import VIEWS
from .person import Occluder, Scene, sample_scene

__all__ = ['CAMERA_NAMES', 'Cut', 'DetailedScene', 'PasserBy', 'sample_detailed_scenes']

CAMERA_NAMES = 'abcdefghijkl'
_OCCLUDED, _PASSED, _CUT = .22, .12, .18
#: Tilts of the cameras, in rows per depth: from eye level up to high on a wall.
_TILTS = np.random.default_rng(12).uniform(.02, .5, len(CAMERA_NAMES))


@dataclass(frozen=True)
class PasserBy:
    """Somebody else who walks before the person, seen in part.

    Attributes:
        seed: Of the looks.
        offset: Of the axis from the person's, in shares of the width; beyond the middle.
    """

    seed: int
    offset: float


@dataclass(frozen=True)
class Cut:
    """Shares of the image that a bad box of a detector cuts off."""

    left: float = 0.
    right: float = 0.
    bottom: float = 0.

    @property
    def hides_feet(self) -> bool:
        """True if the shoes may be outside."""
        return self.bottom > 0


@dataclass(frozen=True)
class DetailedScene(Scene):
    """Everything of an image of version 2 but the person.

    Attributes:
        pitch: Tilt of the camera, in rows per depth.
        passer_by: Somebody in front, if there is one.
        cut: What the box leaves out.
    """

    pitch: float
    passer_by: PasserBy | None
    cut: Cut

    def tilt(self, drawn: float) -> float:
        return self.pitch

    @property
    def feet_hidden(self) -> bool:
        return self.cut.hides_feet or self.passer_by is not None or (
            self.occluder is not None and self.occluder.left < .7
            and self.occluder.left + self.occluder.width > .3)

    @property
    def sides_hidden(self) -> bool:
        """True if something may hide what is held or worn at one side alone."""
        return self.passer_by is not None or self.occluder is not None or (
            self.cut.left > 0 or self.cut.right > 0)


def sample_detailed_scenes(rng: np.random.Generator, count: int) -> list[DetailedScene]:
    """Draw the scenes of the images of a person, each under another camera.

    Args:
        rng: Source of all lots.
        count: Images; beyond the number of cameras they come again.

    >>> scenes = sample_detailed_scenes(np.random.default_rng(0), 12)
    >>> len({scene.camera for scene in scenes})
    12
    """
    cameras = rng.permutation(len(CAMERA_NAMES))
    return [_sample(rng, int(cameras[i % len(cameras)])) for i in range(count)]


def _sample(rng: np.random.Generator, camera: int) -> DetailedScene:
    scene = sample_scene(rng)
    yaw = float(rng.uniform(-np.pi, np.pi))
    view = min(VIEWS, key=lambda name: abs((yaw - VIEWS[name] + np.pi) % (2 * np.pi) - np.pi))
    occluded, pole = rng.random(2)
    occluder = Occluder(
        left=float(rng.uniform(-.05, .9)),
        width=float(rng.uniform(.06, .16) if pole < .5 else rng.uniform(.2, .55)),
        top=float(0. if pole < .5 else rng.uniform(.5, .8)), shade=float(rng.uniform(40, 190)))
    passed, side, offset = rng.random(3)
    who = int(rng.integers(1 << 31))
    cuts, amounts = rng.random(3) < _CUT, rng.uniform((.05, .05, .06), (.22, .22, .3))
    base = {field.name: getattr(scene, field.name) for field in fields(Scene)}
    base.update(camera=camera, pose=replace(scene.pose, view=view, yaw=yaw),
                occluder=occluder if occluded < _OCCLUDED else None)
    return DetailedScene(
        **base, pitch=float(max(0., _TILTS[camera] + rng.normal(0, .02))),
        passer_by=PasserBy(who, float((.38 + .2 * offset) * (1 if side < .5 else -1)))
        if passed < _PASSED else None,
        cut=Cut(*(float(amount) if cut else 0. for cut, amount in zip(cuts, amounts, strict=True))))
