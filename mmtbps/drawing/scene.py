"""Surroundings of a person: street, floor, trees, shadow."""

import numpy as np
from PIL import Image, ImageFilter


def draw_background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a blurred street; (height, width, 3) float32 in 0 to 255.

    The number of draws does not depend on the size, so every size shows the same place.
    """
    image = np.empty((height, width, 3), np.float32)
    horizon = int(height * rng.uniform(.12, .62))
    image[:horizon] = _grey(rng, 90, 215)
    image[horizon:] = _grey(rng, 95, 205)
    for _ in range(rng.integers(2, 7)):
        _draw_front(image, horizon, rng)
    ground = (_draw_tiles, _draw_zebra, _draw_park, _draw_kerb, None)[int(rng.integers(5))]
    if ground:
        ground(image, horizon, rng)
    for _ in range(rng.integers(0, 3)):                       # lamp posts
        x, thick = int(rng.uniform(0, width)), max(1, int(width * rng.uniform(.016, .055)))
        image[:int(height * rng.uniform(.5, 1)), x:x + thick] = _grey(rng, 40, 180)
    cloud = Image.fromarray(rng.standard_normal((32, 12), np.float32))
    cloud = np.asarray(cloud.resize((width, height), Image.Resampling.BICUBIC))
    image *= 1 + .035 * cloud[..., None]
    glow = np.linspace(rng.uniform(.8, 1.15), rng.uniform(.85, 1.1), height, dtype=np.float32)
    image *= glow[:, None, None]
    blur = ImageFilter.GaussianBlur(height / 384 * rng.uniform(1., 3.2))
    picture = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).filter(blur)
    return np.asarray(picture, np.float32)


def cast_shadow(image: np.ndarray, feet: tuple[float, float], light: np.ndarray) -> None:
    """Darken the ground at ``feet`` (column, row) away from the light, in place."""
    height, width = image.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] - (feet[0] - .12 * light[0] * width)
    y = np.arange(height, dtype=np.float32)[:, None] - feet[1]
    image *= (1 - .5 * np.exp(-(x / (.30 * width)) ** 2 - (y / (.022 * height)) ** 2))[..., None]


def _grey(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return rng.uniform(low, high) + rng.normal(0, 5, 3)


def _draw_front(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    """Draw a shop front, a door or a car, with a window or a sign."""
    height, width = image.shape[:2]
    w, h = int(width * rng.uniform(.12, .7)), int(height * rng.uniform(.06, .3))
    x = int(rng.uniform(-.2, .95) * width)
    y = int(max(0, horizon - h - rng.uniform(0, .25) * height))
    color = _grey(rng, 40, 230)
    if rng.random() < .35:
        color = .6 * color + .4 * rng.uniform(20, 230, 3)
    image[y:y + h, max(x, 0):max(x + w, 0)] = color
    if rng.random() < .5:
        image[y + h // 4:y + h // 2, max(x + w // 5, 0):max(x + w // 2, 0)] = (
            color * rng.uniform(.5, 1.4))


def _draw_tiles(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    step = rng.uniform(.03, .07) * height
    joints = (horizon + np.cumsum(np.linspace(.3, 2, 24)) * step).astype(int)
    image[joints[joints < height]] *= .82
    rows = np.arange(horizon, height)
    for k in np.linspace(-2, 3, rng.integers(8, 14)):
        columns = (width * (.5 + (k - .5) * (.3 + 1.2 * (rows - horizon) / height))).astype(int)
        inside = (columns >= 0) & (columns < width)
        image[rows[inside], columns[inside]] *= .82


def _draw_zebra(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    stripes = rng.integers(3, 7)
    step = (image.shape[0] - horizon) / stripes
    for k in range(stripes):
        y = horizon + int(step * (k + .3))
        image[y:y + int(step * .45)] = _grey(rng, 195, 235)


def _draw_park(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    if rng.random() < .6:
        image[horizon:] = np.array((88, 122, 60)) * rng.uniform(.7, 1.3)
    y, x = np.ogrid[:height, :width]
    for _ in range(rng.integers(2, 6)):
        cx, cy, r = rng.uniform(0, 1, 3) * (width, horizon + 1, .3 * width) + (0, 0, .1 * width)
        tree = (x - cx) ** 2 + ((y - cy) * .8) ** 2 < r * r
        image[tree] = np.array((60, 96, 44)) * rng.uniform(.6, 1.4)


def _draw_kerb(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    height = image.shape[0]
    y, edge = int(height * rng.uniform(.75, .97)), max(1, height // 96)
    image[y:y + edge] *= 1.2
    image[y + edge:] *= rng.uniform(.6, .9)
