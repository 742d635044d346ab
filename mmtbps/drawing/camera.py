"""Camera that turns light into pixels: white balance, exposure, blur, resolution and noise."""

import numpy as np
from PIL import Image, ImageFilter


def photograph(light: np.ndarray, camera: int, rng: np.random.Generator) -> np.ndarray:
    """Photograph a scene.

    Args:
        light: (H, W, 3) float, the scene in 0 to 255.
        camera: Number of the camera; each has a tint and a contrast of its own.
        rng: Draws all that changes from image to image.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = light.shape[:2]
    own = np.random.default_rng(camera + 77)
    tint = 1 + own.normal(0, .03, 3) + rng.normal(0, .012, 3)
    gamma = own.uniform(.85, 1.2)
    image = light * (tint * rng.uniform(.72, 1.16))
    image = 255 * np.clip(image / 255, 0, 1) ** gamma
    image = image * rng.uniform(.82, 1.) + rng.uniform(0, 22)          # haze
    picture = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
    share = rng.uniform(.42, 1.)                                       # far away: few pixels
    small = (max(int(width * share), min(20, width)), max(int(height * share), min(60, height)))
    picture = picture.resize(small, Image.Resampling.BILINEAR)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    blurred, radius = rng.random() < .4, rng.uniform(.3, 1.)
    if blurred:
        picture = picture.filter(ImageFilter.GaussianBlur(radius * height / 192))
    grain = rng.uniform(.5, 3.5)
    noise = grain * rng.standard_normal((height, width, 1), np.float32)
    noise = noise + rng.standard_normal((height, width, 3), np.float32)
    return np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
