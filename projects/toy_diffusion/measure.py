"""Measure of the colours a model gives people against those their captions name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmtbps.errors import BadValue
from mmtbps.generation.color import color_votes, palette
from mmtbps.generation.diffusion import LatentDiffusion, Schedule
from mmtbps.lexicon import indefinite_article

from .data import ToyPairs, body_mentions

__all__ = ['ColorPrompt', 'color_prompts', 'color_share', 'draw_samples', 'share_of_images']

#: Rows and columns, as shares, that the garment fills whatever the pose.
_BOXES = {'upper': (.22, .40, .38, .62), 'lower': (.52, .70, .38, .62)}


@dataclass(frozen=True)
class ColorPrompt:
    """Caption with the basic colours it names, region -> colour."""

    text: str
    colors: dict[str, str]


def color_prompts(captions: Sequence[str], count: int) -> list[ColorPrompt]:
    """Dress captions in all colours in turn: upper and lower garment, basic names only.

    Only captions that name one upper and one lower garment are used, again and again if they are
    too few.

    Raises:
        BadValue: If there is no such caption.

    >>> color_prompts(['A man in a red shirt and blue jeans.'], 2)[1].text
    'A man in a black shirt and purple jeans.'
    """
    usable = [caption for caption in captions
              if sorted(str(m.region) for m in body_mentions(caption)) == ['lower', 'upper']]
    if not usable:
        raise BadValue(f'none of {len(captions)} captions names one upper and one lower garment')
    names = palette()[0]
    prompts = []
    for i in range(count):
        text, colors = usable[i % len(usable)], {}
        for mention in reversed(body_mentions(text)):
            step, shift = (1, 0) if mention.region == 'upper' else (5, 3)
            color = names[(i * step + i // len(names) + shift) % len(names)]
            text, colors[mention.region] = _recolored(text, mention.color, color), color
        prompts.append(ColorPrompt(text, colors))
    return prompts


def _recolored(text: str, span: tuple[int, int], color: str) -> str:
    before, after = text[:span[0]], text[span[1]:]
    for article in (' a ', ' an '):
        if before.endswith(article):
            before = f'{before[:-len(article)]} {indefinite_article(color)} '
    return before + color + after


@torch.no_grad()
def draw_samples(model: LatentDiffusion, texts: Sequence[str], size: tuple[int, int],
                 guidance: float = 4., steps: int = 20, seed: int = 0) -> np.ndarray:
    """Draw images of texts by DDIM with classifier-free guidance, (N, H, W, 3) uint8.

    Args:
        model: The diffusion model.
        texts: Captions of the images.
        size: Height and width in pixels, multiples of 4.
        guidance: Weight of the text; 1 for none beyond it.
        steps: Denoising steps.
        seed: Of the noise.
    """
    schedule = Schedule(model.scheduler, steps)
    context = model.encode_text([''] * len(texts) + list(texts))
    shape = (len(texts), model.unet.config.in_channels, size[0] // 4, size[1] // 4)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    for i, timestep in enumerate(schedule.timesteps):
        free, told = model.predict_noise(torch.cat([latents, latents]), timestep, context).chunk(2)
        latents = schedule.denoise(i, latents, free + guidance * (told - free))
    images = model.decode(latents).add(1).mul(127.5).round().clamp(0, 255)
    return images.permute(0, 2, 3, 1).to(torch.uint8).numpy()


def color_share(images: np.ndarray, prompts: Sequence[ColorPrompt]) -> dict[str, float]:
    """Compute the share of garments of the named colour: of a region, and each colour in it.

    A garment has the colour most of its pixels vote for, see `color_votes`.

    Returns:
        ``{'upper': .9, 'upper/red': 1., ..., 'lower': .8, ...}``.
    """
    names, hits = palette()[0], defaultdict(list)
    for image, prompt in zip(images, prompts, strict=True):
        for region, color in prompt.colors.items():
            hit = names[int(color_votes(_box(image, region)).argmax())] == color
            hits[region].append(hit)
            hits[f'{region}/{color}'].append(hit)
    return {key: float(np.mean(hits[key])) for key in sorted(hits)}


def share_of_images(pairs: ToyPairs) -> dict[str, float]:
    """Compute the same on real images and their captions: what a perfect model would reach."""
    names = set(palette()[0])
    chosen, prompts = [], []
    for image, captions in zip(pairs.images, pairs.captions, strict=True):
        mentions = body_mentions(captions[0])
        colors = {m.region: captions[0][slice(*m.color)].lower() for m in mentions}
        if len(colors) == len(mentions) == 2 and set(colors) == set(_BOXES) and (
                names >= set(colors.values())):
            chosen.append(image)
            prompts.append(ColorPrompt(captions[0], colors))
    return color_share(np.array(chosen), prompts)


def _box(image: np.ndarray, region: str) -> np.ndarray:
    """Cut out the pixels of a garment, (N, 3)."""
    top, bottom, left, right = _BOXES[region]
    height, width = image.shape[:2]
    return image[round(top * height):round(bottom * height),
                 round(left * width):round(right * width)].reshape(-1, 3)
