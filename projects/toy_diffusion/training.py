"""Training of the toy diffusion model in three stages: to read, to see, to draw.

1. *Read*: every word of a colour phrase learns to tell the colour words and the body region of
   its phrase (the labels come from the lexicon). Then "red" in "red shirt" and "red" in "red
   shoes" differ, and the U-Net's cross-attention need not find that out from noise.
2. *See*: the autoencoder, squared error plus a whisper of KL.
3. *Draw*: the U-Net on latents that are computed once, epsilon prediction with min-SNR weights
   (Hang et al. 2023), long captions mixed with short colour-garment phrases, weights averaged.

Every batch is drawn from ``(seed, stage, step)``, so a run that was stopped continues as if it had
not been.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.fileio import write_durably
from mmtbps.generation.diffusion.finetune import denoising_loss
from mmtbps.generation.diffusion.toy import IMAGE_SIZE, build_toy, encode_text, save_toy
from mmtbps.lexicon import find_color_mentions

from .data import ToyPairs, balanced_weights, load_pairs, short_phrase

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ['Reader', 'Stage', 'color_words', 'encode_images', 'reading_labels', 'run_stage',
           'to_tensor', 'train_autoencoder', 'train_reader', 'train_toy', 'train_unet']

_REGIONS = ('none', 'upper', 'lower', 'full', 'shoes', 'hat', 'bag', 'accessory', 'part', 'body')
_SHORT, _EMPTY = .45, .10      # shares of training texts that are short phrases, or empty
_KL = 2e-7

Loss = Callable[[np.random.Generator, torch.Generator], Tensor]


@dataclass(frozen=True)
class Stage:
    """Length and learning rate of one stage.

    Args:
        name: Names its checkpoint.
        steps: Optimizer steps.
        rate: Peak learning rate; warms up for 100 steps, falls to zero over the last fifth.
        batch: Images or captions a step.
        average: Decay of the running average of the weights that the stage leaves; 0 for none.
    """

    name: str
    steps: int
    rate: float
    batch: int
    average: float = 0.

    def rate_at(self, step: int) -> float:
        """Compute the learning rate of a step, counted from 0.

        >>> Stage('draw', 1000, 1., 32).rate_at(900)
        0.5
        """
        tail = max(self.steps / 5, 1)
        return self.rate * min(1., (step + 1) / min(100, tail), (self.steps - step) / tail)


def run_stage(stage: Stage, module: nn.Module, loss: Loss, folder: Path, seed: int,
              save_every: int = 500) -> nn.Module:
    """Train ``module`` and leave the averaged weights in it; continues where it stopped.

    Args:
        stage: Length and rate.
        module: The part that learns.
        loss: Gives the loss of a batch that it draws from the two generators.
        folder: Keeps ``{stage.name}.pt``.
        seed: Of the run.
        save_every: Steps between checkpoints.
    """
    from tqdm import trange
    path = folder / f'{stage.name}.pt'
    optimizer = torch.optim.AdamW(module.parameters(), betas=(.9, .99), weight_decay=.01)
    averaged = {key: value.detach().clone() for key, value in module.state_dict().items()}
    done = 0
    if path.is_file():
        state = torch.load(path, map_location='cpu', weights_only=True)
        module.load_state_dict(state['module'])
        optimizer.load_state_dict(state['optimizer'])
        averaged, done = state['averaged'], state['step']
    module.train()
    bar = trange(done, stage.steps, initial=done, total=stage.steps, desc=stage.name,
                 mininterval=15, disable=done >= stage.steps)
    running = None
    for step in bar:
        rng = np.random.default_rng((seed, sum(stage.name.encode()), step))
        value = loss(rng, torch.Generator().manual_seed(int(rng.integers(1 << 62))))
        running = value.item() if running is None else .98 * running + .02 * value.item()
        _update(stage, step, module, optimizer, value, averaged)
        if (step + 1) % save_every == 0 or step + 1 == stage.steps:
            bar.set_postfix(loss=f'{running:.4f}')
            state = dict(module=module.state_dict(), optimizer=optimizer.state_dict(),
                         averaged=averaged, step=step + 1)
            write_durably(path, partial(torch.save, state))
    module.load_state_dict(averaged)
    return module.eval()


def _update(stage: Stage, step: int, module: nn.Module, optimizer: torch.optim.Optimizer,
            loss: Tensor, averaged: dict[str, Tensor]) -> None:
    for group in optimizer.param_groups:
        group['lr'] = stage.rate_at(step)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.)
    optimizer.step()
    decay = min(stage.average, (1 + step) / (10 + step))
    for key, value in module.state_dict().items():
        if value.is_floating_point():
            averaged[key].lerp_(value, 1 - decay)


class Reader(nn.Module):
    """Text tower with linear layers that tell of every word a region and the colour words."""

    def __init__(self, encoder: nn.Module, color_words: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.region = nn.Linear(encoder.config.hidden_size, len(_REGIONS))
        self.color = nn.Linear(encoder.config.hidden_size, color_words)


_mentions = lru_cache(maxsize=65536)(find_color_mentions)   # the same captions come again


def color_words(captions: list[str]) -> dict[str, int]:
    """Number the words that occur in colour phrases (``dark``, ``navy``, ``blue``)."""
    words = {word for text in captions for mention in _mentions(text)
             for word in text[slice(*mention.color)].lower().replace('-', ' ').split()}
    return {word: i for i, word in enumerate(sorted(words))}


def reading_labels(text: str, offsets: list[tuple[int, int]], words: dict[str, int]
                   ) -> tuple[np.ndarray, np.ndarray]:
    """Label tokens at ``offsets`` with region (T,) int64 and colour words (T, W) float32."""
    region = np.zeros(len(offsets), np.int64)
    color = np.zeros((len(offsets), len(words)), np.float32)
    for mention in _mentions(text):
        inside = [i for i, (start, end) in enumerate(offsets)
                  if start < end and mention.span[0] <= start and end <= mention.span[1]]
        region[inside] = _REGIONS.index(mention.region) if mention.region in _REGIONS else 0
        for word in text[slice(*mention.color)].lower().replace('-', ' ').split():
            if word in words:
                color[inside, words[word]] = 1
    return region, color


def train_reader(pipeline: 'StableDiffusionPipeline', pairs: ToyPairs, stage: Stage, folder: Path,
                 seed: int) -> None:
    """Train the text tower, stage 1; it is frozen ever after."""
    words = color_words([text for texts in pairs.captions for text in texts])
    torch.manual_seed(seed)
    reader = Reader(pipeline.text_encoder, len(words))

    def loss(rng: np.random.Generator, _: torch.Generator) -> Tensor:
        texts = [_draw_text(pairs.captions[i], rng, empty=0.)
                 for i in rng.integers(len(pairs), size=stage.batch)]
        batch = pipeline.tokenizer(texts, padding='max_length', truncation=True,
                                   return_offsets_mapping=True, return_tensors='pt')
        labels = [reading_labels(text, offsets.tolist(), words)
                  for text, offsets in zip(texts, batch.offset_mapping, strict=True)]
        region, color = (torch.from_numpy(np.stack(part)) for part in zip(*labels, strict=True))
        hidden = pipeline.text_encoder(batch.input_ids)[0]
        wrong = F.binary_cross_entropy_with_logits(reader.color(hidden), color, reduction='none')
        return (F.cross_entropy(reader.region(hidden).flatten(0, 1), region.flatten())
                + wrong.sum(-1).mean())

    run_stage(stage, reader, loss, folder, seed)
    pipeline.text_encoder.requires_grad_(False)


def _draw_text(captions: tuple[str, ...], rng: np.random.Generator, empty: float = _EMPTY) -> str:
    lot = rng.random()
    if lot < empty:
        return ''
    if lot < empty + _SHORT:
        return short_phrase(captions, rng)
    return captions[int(rng.integers(len(captions)))]


def to_tensor(images: np.ndarray) -> Tensor:
    """Convert (N, H, W, 3) uint8 to (N, 3, H, W) float in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def train_autoencoder(pipeline: 'StableDiffusionPipeline', pairs: ToyPairs, stage: Stage,
                      folder: Path, seed: int) -> None:
    """Train the autoencoder, stage 2; set ``scaling_factor`` so that latents have variance 1."""
    vae = pipeline.vae

    def loss(rng: np.random.Generator, generator: torch.Generator) -> Tensor:
        images = to_tensor(pairs.images[rng.integers(len(pairs), size=stage.batch)])
        images = images.flip(-1) if rng.random() < .5 else images
        posterior = vae.encode(images).latent_dist
        decoded = vae.decode(posterior.sample(generator)).sample
        return F.mse_loss(decoded, images) + _KL * posterior.kl().mean()

    run_stage(stage, vae, loss, folder, seed)
    vae.requires_grad_(False)
    vae.register_to_config(scaling_factor=1.)
    vae.register_to_config(scaling_factor=float(1 / encode_images(vae, pairs.images[:512]).std()))


@torch.no_grad()
def encode_images(vae: nn.Module, images: np.ndarray, batch: int = 128) -> Tensor:
    """Encode uint8 images to scaled latents (the posterior's mode), (N, 8, 16, 6)."""
    parts = [vae.encode(to_tensor(images[i:i + batch])).latent_dist.mode()
             for i in range(0, len(images), batch)]
    return torch.cat(parts) * vae.config.scaling_factor


def train_unet(pipeline: 'StableDiffusionPipeline', pairs: ToyPairs, stage: Stage, folder: Path,
               seed: int) -> None:
    """Train the U-Net, stage 3, on cached latents of the images and their mirror images."""
    latents = torch.stack([encode_images(pipeline.vae, pairs.images),
                           encode_images(pipeline.vae, pairs.images[:, :, ::-1].copy())])
    weights = balanced_weights(pairs.captions)
    signal = pipeline.scheduler.alphas_cumprod

    def loss(rng: np.random.Generator, generator: torch.Generator) -> Tensor:
        chosen = rng.choice(len(pairs), size=stage.batch, p=weights)
        with torch.no_grad():
            context = encode_text(pipeline, [_draw_text(pairs.captions[i], rng) for i in chosen])
        clean = latents[torch.from_numpy(rng.integers(2, size=stage.batch)),
                        torch.from_numpy(chosen)]
        steps = torch.randint(len(signal), (stage.batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = pipeline.scheduler.add_noise(clean, noise, steps)
        predicted = pipeline.unet(noisy, steps, encoder_hidden_states=context).sample
        return denoising_loss(predicted, noise, signal[steps])

    run_stage(stage, pipeline.unet, loss, folder, seed)


def train_toy(data_root: str | Path, out_dir: str | Path, work_dir: str | Path, seed: int = 0,
              read_steps: int = 2500, see_steps: int = 1000, draw_steps: int = 5000,
              batch: int = 32, limit: int | None = None) -> Path:
    """Train the toy model from nothing and write its diffusers folder; resumable.

    Args:
        data_root: Data set with ``reid_raw.json``; the shipped model saw
            ``mmtbps draw-balanced``'s.
        out_dir: The diffusers folder to write.
        work_dir: Keeps the checkpoints of the three stages; the same folder again continues.
        seed: Of initialisation and of every batch.
        read_steps, see_steps, draw_steps: Length of the three stages.
        batch: Images a step; captions are read twice as many at once.
        limit: Train on so many images only.

    Returns:
        ``out_dir``; its ``recipe.json`` holds these numbers and the sha256 of the weights.

    Raises:
        MissingPackage: If diffusers is not installed.
        MissingFile: If there is no data set in ``data_root``.
    """
    work_dir, out_dir = Path(work_dir), Path(out_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    pairs = load_pairs(data_root, 'train', IMAGE_SIZE, limit)
    pipeline = build_toy((text for texts in pairs.captions for text in texts), seed)
    train_reader(pipeline, pairs, Stage('read', read_steps, 2e-3, 2 * batch), work_dir, seed)
    train_autoencoder(pipeline, pairs, Stage('see', see_steps, 2e-3, batch, .99), work_dir, seed)
    train_unet(pipeline, pairs, Stage('draw', draw_steps, 1e-3, batch, .998), work_dir, seed)
    save_toy(pipeline, out_dir, dict(
        seed=seed, images=len(pairs), read_steps=read_steps, see_steps=see_steps,
        draw_steps=draw_steps, batch=batch))
    return out_dir
