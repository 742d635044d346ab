"""Enlargement of small surveillance crops to the size an editor works at.

The diffusion pipelines are not called with PIL images: super-resolution of diffusers would round a
crop of 60 x 160 silently down to 32 x 160. The size is fixed here, and the whole crop fills it.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmtbps.devices import move_to_device
from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from ..diffusion.latent_diffusion import (
    DTYPES,
    check_dtype,
    check_source,
    fingerprint,
)
from ..diffusion.pipelines import load_pipeline
from ..diffusion.pixels import images_to_tensor, tensor_to_image
from .base import BaseUpscaler
from .options import check_size, check_steps

__all__ = ['LDMUpscaler', 'ResizeUpscaler', 'SDUpscaler']

_FACTOR = 4


@TASK_UTILS.register_module()
class ResizeUpscaler(BaseUpscaler):
    """Upscaler by plain Lanczos resizing.

    Args:
        size: (height, width) of the result.

    >>> ResizeUpscaler((640, 256)).upscale([Image.new('RGB', (60, 160))], [0])[0].size
    (256, 640)
    """

    def __init__(self, size: tuple[int, int] = (640, 256)) -> None:
        self.size = check_size(size)

    def upscale(self, images: Sequence[Image.Image], seeds: Sequence[int]) -> list[Image.Image]:
        """Resize the images; the seeds are not needed."""
        return [image.convert('RGB').resize(self.size[::-1], Image.Resampling.LANCZOS)
                for image in images]

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Size of the result."""
        return dict(type=type(self).__name__, size=list(self.size))


class _DiffusionUpscaler(BaseUpscaler):
    """Base of the two diffusion models: loading, batches, and a generator for each image."""

    pipeline_class = ''

    def __init__(self, pretrained: str, pipeline: Any, size: tuple[int, int], steps: int,
                 batch_size: int, dtype: str, device: str | None) -> None:
        size = check_size(size)
        check_steps(steps)
        if any(side % (8 * _FACTOR) for side in size):
            raise BadValue(f'size must be multiples of {8 * _FACTOR}, got {size}')
        if pipeline is None:
            check_source(pretrained)
        self.pretrained, self.size, self.steps = pretrained, size, steps
        self.batch_size, self.dtype = batch_size, check_dtype(dtype)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self._pipeline = pipeline

    @cached_property
    def pipeline(self) -> Any:
        """Model, loaded at the first use."""
        pipe = self._pipeline
        if pipe is None:
            pipe = load_pipeline(self.pipeline_class, self.pretrained, DTYPES[self.dtype])
        move_to_device(pipe, self.device)
        pipe.to(DTYPES[self.dtype])
        pipe.set_progress_bar_config(disable=True)
        return pipe

    @property
    def evals_per_image(self) -> int:
        """Forward passes of the denoiser for one image."""
        return self.steps

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Model, size, steps and type."""
        return dict(type=type(self).__name__, model=self.pretrained,
                    fingerprint=fingerprint(self.pretrained), size=list(self.size),
                    steps=self.steps, dtype=self.dtype)

    @torch.no_grad()
    def upscale(self, images: Sequence[Image.Image], seeds: Sequence[int]) -> list[Image.Image]:
        """Enlarge in batches; an image and its seed give the same result in any batch."""
        low = tuple(side // _FACTOR for side in self.size)
        enlarged = []
        for start in range(0, len(images), self.batch_size):
            chosen = slice(start, start + self.batch_size)
            generators = [torch.Generator().manual_seed(seed) for seed in seeds[chosen]]
            pixels = self._enlarge(images_to_tensor(images[chosen], low), generators)
            enlarged += [tensor_to_image(image, self.size[::-1]) for image in pixels]
        return enlarged

    @abstractmethod
    def _enlarge(self, low: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Enlarge ``(N, 3, h, w)`` to ``(N, 3, 4 h, 4 w)``, both in [-1, 1]."""


@TASK_UTILS.register_module()
class LDMUpscaler(_DiffusionUpscaler):
    """Super-resolution by latent diffusion (``LDMSuperResolutionPipeline``), x4; what CTLG used.

    The crop is not padded to a square: at 640 x 256 this asks for 2.5 times less than CTLG's
    640 x 640, of which 62.5 % was black.

    Args:
        pretrained: Folder or hub name.
        pipeline: The loaded pipeline instead; ``pretrained`` then only names it.
        size: (height, width) of the result, multiples of 32.
        steps: Denoising steps (CTLG: 100).
        eta: 0 is deterministic DDIM, 1 adds noise in each step (CTLG), drawn from the image's own
            generator. The stock pipeline draws it from the global state, so that no seed repeats
            an image.
        batch_size: Images enlarged at once.
        dtype: Type of the weights.
        device: CUDA where there is one by default.
    """

    pipeline_class = 'LDMSuperResolutionPipeline'

    def __init__(self, pretrained: str = 'CompVis/ldm-super-resolution-4x-openimages',
                 pipeline: Any = None, size: tuple[int, int] = (640, 256), steps: int = 50,
                 eta: float = 0.0, batch_size: int = 16, dtype: str = 'bf16',
                 device: str | None = None) -> None:
        super().__init__(pretrained, pipeline, size, steps, batch_size, dtype, device)
        self.eta = eta

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Those of every model, and eta."""
        return dict(super().digest_fields, eta=self.eta)

    def _enlarge(self, low: Tensor, generators: list[torch.Generator]) -> Tensor:
        unet, scheduler = self.pipeline.unet, self.pipeline.scheduler
        low = low.to(self.device, unet.dtype)
        shape = (unet.config.in_channels // 2, *low.shape[-2:])

        def draw() -> Tensor:
            return torch.stack([torch.randn(shape, generator=generator, dtype=unet.dtype)
                                for generator in generators]).to(self.device)

        scheduler.set_timesteps(self.steps, device=self.device)
        latents = draw() * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            noise = unet(scheduler.scale_model_input(torch.cat([latents, low], 1), timestep),
                         timestep).sample
            latents = scheduler.step(noise, timestep, latents, eta=self.eta,
                                     variance_noise=draw() if self.eta else None).prev_sample
        return torch.cat([self.pipeline.vqvae.decode(row).sample for row in latents.split(1)])


@TASK_UTILS.register_module()
class SDUpscaler(_DiffusionUpscaler):
    """The x4 upscaler of Stable Diffusion 2 (``StableDiffusionUpscalePipeline``).

    Args:
        pretrained: Folder or hub name.
        pipeline: The loaded pipeline instead; ``pretrained`` then only names it.
        size: (height, width) of the result, multiples of 32.
        steps: Denoising steps, two forward passes each.
        prompt: What all images show.
        guidance: Scale of classifier-free guidance, above 1.
        noise_level: Noise added to the crop; more invents more.
        batch_size: Images enlarged at once.
        dtype: Type of the weights.
        device: CUDA where there is one by default.
    """

    pipeline_class = 'StableDiffusionUpscalePipeline'

    def __init__(self, pretrained: str = 'stabilityai/stable-diffusion-x4-upscaler',
                 pipeline: Any = None, size: tuple[int, int] = (640, 256), steps: int = 25,
                 prompt: str = 'a pedestrian', guidance: float = 4.0, noise_level: int = 20,
                 batch_size: int = 4, dtype: str = 'bf16', device: str | None = None) -> None:
        super().__init__(pretrained, pipeline, size, steps, batch_size, dtype, device)
        if guidance <= 1:
            raise BadValue(f'guidance must be above 1, got {guidance}')
        self.prompt, self.guidance, self.noise_level = prompt, guidance, noise_level

    @property
    def evals_per_image(self) -> int:
        """Forward passes of the denoiser for one image."""
        return 2 * self.steps

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Those of every model, and what the image is conditioned on."""
        return dict(super().digest_fields, prompt=self.prompt, guidance=self.guidance,
                    noise_level=self.noise_level)

    def _enlarge(self, low: Tensor, generators: list[torch.Generator]) -> Tensor:
        images = self.pipeline(
            prompt=[self.prompt] * len(low), image=(low + 1) / 2, num_inference_steps=self.steps,
            guidance_scale=self.guidance, noise_level=self.noise_level, generator=generators,
            output_type='pt').images
        return images * 2 - 1
