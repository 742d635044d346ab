"""Versions of the drawn data set, each the same for one seed for ever."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .attributes import CAMERAS
from .captions import caption
from .details import add_details
from .free_captions import Told, free_caption
from .person import Person, Scene, sample_person, sample_scene
from .viewpoints import CAMERA_NAMES, sample_detailed_scenes

__all__ = ['CAPTIONS_PER_IMAGE', 'VERSIONS', 'Shot', 'Version', 'plan_person']

CAPTIONS_PER_IMAGE = 2


@dataclass(frozen=True)
class Shot:
    """One image of the set before it is drawn."""

    scene: Scene
    file_path: str
    caption_seeds: tuple[int, ...]


@dataclass(frozen=True)
class Version:
    """The choices of a version.

    Args:
        cameras: names of its cameras, one letter each.
        plan: draws person and scenes by lot, of seed, person id and number of images.
        caption: writes a caption and what it tells, of person, scene, seed and wording; ``facts``
            is empty where a version does not say.
    """

    cameras: str
    plan: Callable[[int, int, int], tuple[Person, list[Shot]]]
    caption: Callable[[Person, Scene, int, str], Told]


def plan_person(seed: int, person_id: int, images: int) -> tuple[Person, list[Shot]]:
    """Draw by lot person ``person_id`` of version 1 of the set ``seed``, and the scenes.

    Depends on nothing else: not on the size of the set, the other people or the processes.
    """
    rng = np.random.default_rng((seed, person_id))
    person, shots = sample_person(rng), []
    for number in range(images):
        scene = sample_scene(rng)
        shots.append(_shot(rng, person_id, number, scene, CAMERAS))
    return person, shots


def _plan_detailed(seed: int, person_id: int, images: int) -> tuple[Person, list[Shot]]:
    """Draw by lot a person of version 2: that of version 1, with details, in scenes of its own."""
    looks = sample_person(np.random.default_rng((seed, person_id)))
    rng = np.random.default_rng((seed, person_id, 2))
    person = add_details(looks, rng)
    scenes = sample_detailed_scenes(rng, images)
    return person, [_shot(rng, person_id, number, scene, CAMERA_NAMES)
                    for number, scene in enumerate(scenes)]


def _shot(rng: np.random.Generator, person_id: int, number: int, scene: Scene,
          cameras: str) -> Shot:
    path = f'cam_{cameras[scene.camera]}/{person_id:05d}_{number:02d}.jpg'
    return Shot(scene, path, tuple(int(s) for s in rng.integers(1 << 31, size=CAPTIONS_PER_IMAGE)))


def _plain_caption(person: Person, scene: Scene, seed: int, wording: str) -> Told:
    return Told(caption(person, scene, seed, wording), (), 0)


#: By number.
VERSIONS = {1: Version(CAMERAS, plan_person, _plain_caption),
            2: Version(CAMERA_NAMES, _plan_detailed, free_caption)}
