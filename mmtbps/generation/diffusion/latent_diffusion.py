"""Parts of a latent diffusion model: encode, predict noise, step in either direction, decode."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.devices import move_to_device
from mmtbps.errors import BadValue, MissingPackage
from mmtbps.pretrained import resolve_pretrained

from .tokens import encode_caption

__all__ = ['DTYPES', 'LatentDiffusion', 'Schedule', 'check_dtype', 'check_source', 'ddim_step',
           'ddpm_sigma', 'fingerprint', 'move_parts']

DTYPES = dict(bf16=torch.bfloat16, fp16=torch.float16, fp32=torch.float32, fp64=torch.float64)


def ddim_step(latents: Tensor, noise: Tensor, level: float, to_level: float,
              sigma: float = 0.) -> Tensor:
    """Move latents from one noise level to another, along the predicted noise.

    Denoising Diffusion Implicit Models (https://arxiv.org/abs/2010.02502), equation 12, without
    the random term. The equation does not care which level is the noisier one, so the same
    function also runs the process backwards (inversion).

    Args:
        latents: ``(N, C, H, W)`` at ``level``.
        noise: Predicted noise, like ``latents``.
        level: Cumulative alpha of the latents, in (0, 1].
        to_level: Cumulative alpha to reach.
        sigma: Standard deviation of the noise the caller will add.

    >>> x = ddim_step(torch.tensor([1.]), torch.tensor([.5]), level=.9, to_level=.4)
    >>> round(ddim_step(x, torch.tensor([.5]), level=.4, to_level=.9).item(), 6)
    1.0
    """
    clean = (latents - (1 - level) ** .5 * noise) / level ** .5
    return to_level ** .5 * clean + (1 - to_level - sigma ** 2) ** .5 * noise


def ddpm_sigma(level: float, to_level: float) -> float:
    """Compute the noise of one stochastic step (eta = 1): equation 16 of the same paper.

    >>> round(ddpm_sigma(.4, .9), 4)
    0.3043
    """
    return ((1 - to_level) / (1 - level) * (1 - level / to_level)) ** .5


class Schedule:
    """Noise levels of a sampling run, from the noisiest to the image.

    The timesteps are shifted by one, as Stable Diffusion was set up (``steps_offset=1``). Without
    the shift the last step would go from timestep 0 to timestep 0 and do nothing.

    Args:
        scheduler: Any scheduler with ``alphas_cumprod``; nothing else of it is used.
        steps: Steps of the run.

    Attributes:
        timesteps: One for each step, descending.
        levels: Cumulative alphas, ``steps + 1`` values; step i goes from ``levels[i]`` to
            ``levels[i + 1]``.

    Raises:
        BadValue: If the steps are fewer than 1 or more than half of the training timesteps.
    """

    def __init__(self, scheduler: Any, steps: int) -> None:
        alphas = scheduler.alphas_cumprod.double().tolist()
        if not 1 <= steps <= len(alphas) // 2:
            raise BadValue(f'steps must lie in [1, {len(alphas) // 2}], got {steps}')
        stride = len(alphas) // steps
        self.timesteps = [i * stride + 1 for i in reversed(range(steps))]
        self.levels = [*(alphas[t] for t in self.timesteps), alphas[0]]

    def __len__(self) -> int:
        return len(self.timesteps)

    def denoise(self, i: int, latents: Tensor, noise: Tensor,
                variance_noise: Tensor | None = None) -> Tensor:
        """Take step i towards the image; with ``variance_noise`` the stochastic one."""
        level, to_level = self.levels[i], self.levels[i + 1]
        if variance_noise is None:
            return ddim_step(latents, noise, level, to_level)
        sigma = ddpm_sigma(level, to_level)
        return ddim_step(latents, noise, level, to_level, sigma) + sigma * variance_noise

    def invert(self, i: int, latents: Tensor, noise: Tensor) -> Tensor:
        """Take step i away from the image, the reverse of `denoise`."""
        return ddim_step(latents, noise, self.levels[i + 1], self.levels[i])


class LatentDiffusion:
    """Text-to-image model in parts, with one call for each thing an editor needs.

    Works on the parts of diffusers' ``StableDiffusionPipeline`` and on any that behave alike.
    The weights are frozen and set to evaluation. Latents stay in float32 (float64 in a float64
    model) whatever the weights' type, so that replaying stored latents is exact.

    Args:
        unet: ``unet(latents, t, encoder_hidden_states=...).sample``.
        vae: ``encode(x).latent_dist.mode()`` (or ``.latents``), ``decode(z).sample``,
            ``config.scaling_factor``.
        text_encoder: ``text_encoder(ids)[0]`` is ``(N, K, D)``.
        tokenizer: See `encode_caption`; also ``pad_token_id``.
        scheduler: ``alphas_cumprod``, ``config.prediction_type`` (epsilon or v_prediction).

    Attributes:
        evals: Rows that went through the UNet in `predict_noise` so far.

    Raises:
        BadValue: On another prediction type, or a scheduler without noise levels of diffusion.
    """

    def __init__(self, unet: nn.Module, vae: nn.Module, text_encoder: nn.Module, tokenizer: Any,
                 scheduler: Any) -> None:
        for part in (unet, vae, text_encoder):
            part.requires_grad_(False).eval()
        self.unet, self.vae, self.text_encoder = unet, vae, text_encoder
        self.tokenizer, self.scheduler = tokenizer, scheduler
        if not hasattr(scheduler, 'alphas_cumprod'):
            raise BadValue(f'{type(scheduler).__name__} has no noise levels of diffusion '
                           '(alphas_cumprod), as those of flow matching have none; take another '
                           'model')
        self.prediction = getattr(scheduler.config, 'prediction_type', 'epsilon')
        if self.prediction not in ('epsilon', 'v_prediction'):
            raise BadValue('the model must predict epsilon or v_prediction, its scheduler says '
                           f'{self.prediction!r}')
        self.evals = 0

    @property
    def device(self) -> torch.device:
        """Device of the UNet."""
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the UNet's weights."""
        return next(self.unet.parameters()).dtype

    @property
    def latent_dtype(self) -> torch.dtype:
        """Type of latents between the steps."""
        return torch.promote_types(self.dtype, torch.float32)

    @property
    def context_length(self) -> int:
        """K, tokens of a padded caption."""
        return self.tokenizer.model_max_length

    @cached_property
    def _alphas(self) -> Tensor:
        return self.scheduler.alphas_cumprod.to(self.device, torch.float64)

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> Tensor:
        """Encode captions to ``(N, K, D)``, padded with the tokenizer's padding token."""
        rows = [encode_caption(self.tokenizer, caption).ids for caption in captions]
        ids = torch.full((len(rows), self.context_length), self.tokenizer.pad_token_id)
        for i, row in enumerate(rows):
            ids[i, :len(row)] = torch.tensor(row)
        return self.text_encoder(ids.to(self.device))[0].to(self.latent_dtype)

    @torch.no_grad()
    def encode_images(self, images: Tensor) -> Tensor:
        """Encode ``(N, 3, H, W)`` in [-1, 1] to latents; one by one, to bound the memory."""
        latents = []
        for image in images.to(self.device, self.dtype).split(1):
            encoded = self.vae.encode(image)
            code = encoded.latent_dist.mode() if hasattr(encoded, 'latent_dist') \
                else encoded.latents
            latents.append(code.to(self.latent_dtype) * self.vae.config.scaling_factor)
        return torch.cat(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents to ``(N, 3, H, W)``, about [-1, 1]; one by one, to bound the memory."""
        scaled = (latents / self.vae.config.scaling_factor).to(self.dtype)
        return torch.cat([self.vae.decode(row).sample for row in scaled.split(1)]).float()

    def predict_noise(self, latents: Tensor, timestep: int, context: Tensor) -> Tensor:
        """Predict the noise in ``(N, C, H, W)`` latents at a timestep, given ``(N, K, D)`` text."""
        self.evals += len(latents)
        time = torch.tensor(timestep, device=self.device)
        output = self.unet(latents.to(self.dtype), time,
                           encoder_hidden_states=context.to(self.dtype)).sample
        output = output.to(self.latent_dtype)
        if self.prediction == 'v_prediction':
            level = self._alphas[timestep].to(self.latent_dtype)
            return level.sqrt() * output + (1 - level).sqrt() * latents
        return output


def check_dtype(name: str) -> str:
    """Check the name of a type of weights and return it.

    Raises:
        BadValue: If it is none of ``DTYPES``.
    """
    if name not in DTYPES:
        raise BadValue(f'dtype must be one of {sorted(DTYPES)}, got {name!r}')
    return name


def check_source(pretrained: str) -> str:
    """Check a folder or hub name as far as is possible without loading or fetching anything.

    Returns:
        The folder or hub name.

    Raises:
        MissingPackage: If diffusers is not installed.
        MissingFile: If it is a path to no folder.
    """
    if find_spec('diffusers') is None:
        raise MissingPackage('editing images needs diffusers: pip install "mmtbps[pdg]"')
    return resolve_pretrained(pretrained)


def move_parts(parts: Iterable[nn.Module], device: str, dtype: torch.dtype) -> None:
    """Move models to a device; cast only those of another type (diffusers warns of each cast).

    Raises:
        UnusableDevice: If torch cannot use the device.
    """
    for part in parts:
        move_to_device(part, device)
        if next(part.parameters()).dtype != dtype:
            part.to(dtype)


def fingerprint(source: str | os.PathLike | nn.Module) -> str:
    """Compute sixteen hex digits that tell two sets of weights apart.

    A module or a single file is read in full; a folder by its JSON files and the names and sizes
    of the others, since it may hold gigabytes; a hub name stands for itself.

    >>> fingerprint('some/model') == fingerprint('some/model') != fingerprint('another/model')
    True
    """
    digest = hashlib.sha256()
    if isinstance(source, nn.Module):
        for name, value in sorted(source.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()[:16]
    path = Path(source)
    if path.is_file():
        digest.update(path.read_bytes())
    elif path.is_dir():
        for file in sorted(p for p in path.rglob('*') if p.is_file()):
            digest.update(f'{file.relative_to(path).as_posix()}:{file.stat().st_size}'.encode())
            if file.suffix == '.json':
                digest.update(file.read_bytes())
    else:
        digest.update(str(source).encode())
    return digest.hexdigest()[:16]
