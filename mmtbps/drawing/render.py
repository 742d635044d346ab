"""Rendering of a person in a scene, with the part that every pixel belongs to."""

import numpy as np

from mmtbps.errors import BadValue

from . import accessories, body, garments
from .camera import photograph
from .canvas import PART, PARTS, Canvas, Projection
from .detail_shapes import draw_details
from .details import DetailedPerson
from .figure import build_figure
from .person import Occluder, Person, Scene, sample_person, sample_scene
from .scene import cast_shadow, draw_background
from .viewpoints import Cut, DetailedScene

SUPERSAMPLING = 2


def render(person: Person, scene: Scene, size: tuple[int, int] = (128, 48),
           with_parts: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Draw a person in a scene.

    Args:
        person, scene: What to draw.
        size: Height and width in pixels.
        with_parts: Also return the part buffer.

    Returns:
        (H, W, 3) uint8 RGB; with ``with_parts`` also (H, W) uint8, the index into
        :data:`mmtbps.drawing.canvas.PARTS` of the part that fills most of the pixel.

    Raises:
        BadValue: If ``size`` is smaller than 16 x 8.

    >>> from mmtbps.drawing.person import sample_person, sample_scene
    >>> rng = np.random.default_rng((0, 1))
    >>> render(sample_person(rng), sample_scene(rng)).shape
    (128, 48, 3)
    """
    height, width = size
    if height < 16 or width < 8:
        raise BadValue(f'size {height} x {width} is too small to draw a person; '
                       'take at least 16 x 8 (height x width)')
    layout, street, folds, optics = (np.random.default_rng((scene.seed, k)) for k in range(4))
    canvas, light, crown = _set_up(person, scene, size, layout, folds)
    ground = draw_background(height, width, street)
    frame = canvas.frame
    cast_shadow(ground, (frame.centre / SUPERSAMPLING, crown / SUPERSAMPLING), light)
    draw_person(canvas, person, scene)
    image = _composite(canvas, ground)
    parts = _dominant_parts(canvas.part) if with_parts else None
    if scene.occluder:
        _draw_occluder(image, parts, scene.occluder, layout)
    if isinstance(scene, DetailedScene):
        if scene.passer_by:
            image = _draw_passer_by(image, parts, scene)
        image, parts = _cut_off(image, scene.cut), parts if parts is None else _cut_off(
            parts, scene.cut)
    picture = photograph(image, scene.camera, optics)
    return (picture, parts) if with_parts else picture


def draw_person(canvas: Canvas, person: Person, scene: Scene) -> None:
    """Draw the whole person on the canvas; the z-buffer sorts the parts."""
    figure = build_figure(person, scene.pose)
    for leg in figure.legs:
        if person.lower not in garments.TROUSERS:
            body.draw_bare_leg(canvas, person, figure, leg)
        garments.draw_leg_wear(canvas, person, figure, leg)
        garments.draw_shoe(canvas, person, leg)
    garments.draw_hips(canvas, person, figure)
    garments.draw_upper(canvas, person, figure)
    body.draw_neck(canvas, person, figure)
    accessories.draw_scarf(canvas, person, figure)
    for arm in figure.arms:
        body.draw_bare_arm(canvas, person, arm)
        garments.draw_sleeve(canvas, person, figure, arm)
    accessories.draw_bag(canvas, person, figure)
    body.draw_head(canvas, person, figure)
    if isinstance(person, DetailedPerson):
        draw_details(canvas, person, figure)


def _set_up(person: Person, scene: Scene, size: tuple[int, int], layout: np.random.Generator,
            folds: np.random.Generator) -> tuple[Canvas, np.ndarray, float]:
    """Make the canvas with the person on the ground, the light, and the row of the ground."""
    height, width = (n * SUPERSAMPLING for n in size)
    scale = height * layout.uniform(.84, .93)
    bottom = height * layout.uniform(.025, .07) + scale * .985
    centre = width * layout.uniform(.44, .56)
    light = np.array((layout.uniform(-.9, .9), -layout.uniform(.2, .9), layout.uniform(.5, 1.)))
    frame = Projection(scale * person.height, centre, 0., scene.pose.yaw,
                       scene.tilt(layout.uniform(0, .22)))
    frame.top = bottom - build_figure(person, scene.pose).ground(frame) * frame.scale
    return Canvas(height, width, frame, light, folds), light, bottom


def _composite(canvas: Canvas, ground: np.ndarray) -> np.ndarray:
    height, width = ground.shape[:2]
    blocks = (height, SUPERSAMPLING, width, SUPERSAMPLING)
    drawn = np.clip(canvas.rgb, 0, 255).reshape(*blocks, 3).mean((1, 3))
    cover = (canvas.part > 0).reshape(blocks).mean((1, 3), dtype=np.float32)
    return drawn + (1 - cover)[..., None] * ground


def _dominant_parts(part: np.ndarray) -> np.ndarray:
    height, width = (n // SUPERSAMPLING for n in part.shape)
    blocks = part.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING)
    counts = np.stack([(blocks == k).sum((1, 3)) for k in range(len(PARTS))])
    return counts.argmax(0).astype(np.uint8)


def _draw_occluder(image: np.ndarray, parts: np.ndarray | None, occluder: Occluder,
                   rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    rows = slice(int(height * occluder.top), None)
    left = int(width * occluder.left)
    columns = slice(left, left + max(1, int(width * occluder.width)))
    color = occluder.shade * (1 + rng.normal(0, .08, 3))
    across = np.linspace(-1, 1, image[rows, columns].shape[1])
    image[rows, columns] = color * (1.1 - .35 * across[None, :, None] ** 2)
    if parts is not None:
        parts[rows, columns] = PART['occluder']


def _draw_passer_by(image: np.ndarray, parts: np.ndarray | None,
                    scene: DetailedScene) -> np.ndarray:
    """Draw somebody else in front, at the side; the parts below are an occluder's."""
    rng = np.random.default_rng((scene.passer_by.seed, 0))
    other, elsewhere = sample_person(rng), sample_scene(rng)
    canvas, _, _ = _set_up(other, elsewhere, image.shape[:2], rng, rng)
    canvas.frame.centre += scene.passer_by.offset * canvas.width
    draw_person(canvas, other, elsewhere)
    if parts is not None:
        parts[_dominant_parts(canvas.part) > 0] = PART['occluder']
    return _composite(canvas, image)


def _cut_off(image: np.ndarray, cut: Cut) -> np.ndarray:
    """Stretch what a box leaves to the whole image."""
    height, width = image.shape[:2]
    rows = np.linspace(0, height * (1 - cut.bottom) - 1, height).round().astype(int)
    columns = np.linspace(width * cut.left, width * (1 - cut.right) - 1, width).round().astype(int)
    return image[rows][:, columns]
