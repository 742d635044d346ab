"""Editing by instruction, with any pipeline of diffusers made for it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from itertools import groupby
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from mmtbps.devices import usable_device
from mmtbps.errors import BadValue, MissingPackage
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import TASK_UTILS

from ..color.change import change_mask
from ..color.votes import BANDS
from ..diffusion.latent_diffusion import check_source, fingerprint, move_parts
from ..diffusion.loaded_parts import fuse_lora
from ..diffusion.pipelines import load_pipeline, pipeline_class
from ..diffusion.pixels import native_size
from ..templates import check_template
from .base import BaseEditor, EditRequest, EditResult
from .edit_kinds import EDIT_KINDS, find_kind
from .instruct_families import family_of
from .options import InstructSampling, WeightOptions, read_options, take_flat_keys

__all__ = ['InstructEditor']

_OFFLOADS = None, 'model', 'sequential'
_SAME_ASPECT = math.log(1.05)  # rounding to multiples stays well below
_WORDS = ('noun', 'region', 'old_color', 'new_color', 'caption')


@TASK_UTILS.register_module()
class InstructEditor(BaseEditor):
    """Editor by any pipeline of diffusers that takes an image and an instruction.

    The pipeline works at the aspect of each image, and one that returns another aspect is refused.
    Nothing is held to the source, so the mask is found afterwards: what took another colour (see
    `change_mask`), at the height where the garment is worn. The gates judge it and the rest.

    It makes edits of every kind: a request that brings its own instruction is edited by that.

    Options of ``weights`` and ``sampling`` may also stand beside the groups.

    Args:
        pretrained: Folder or hub name; beside a loaded pipeline only a name.
        pipeline: Class name in diffusers (`FAMILIES` holds those that are tried), or a loaded
            pipeline. It is moved and frozen.
        instruction: For edits of colour; may use ``{noun}``, ``{region}``, ``{old_color}``,
            ``{new_color}`` and ``{caption}``, the whole caption after the edit.
        weights: Options, or their keys, see `WeightOptions`.
        sampling: See `InstructSampling`.
        call: More keywords for the pipeline's call, such as ``image_guidance_scale``; none that the
            editor itself hands over, such as ``height``.
        change_tolerance: Lab distance that counts as another colour in the mask.
        batch_size: Images of one size edited at once, where the pipeline takes several; does not
            change what is sampled.
        offload: ``'model'`` holds only the part that computes on the GPU, ``'sequential'`` only
            its layer, which is far slower; ``None`` holds all. Needs accelerate.
        flat: Keys of ``weights`` and ``sampling``.

    Raises:
        MissingPackage: If diffusers, accelerate or what the pipeline needs is not installed.
        MissingFile: If ``pretrained`` or ``lora`` is a path to nothing.
        BadValue: If the instruction asks for another value; on an unknown dtype, offload or key
            of a group.
        TypeError: On an unknown key beside the groups.
    """

    kinds = frozenset(EDIT_KINDS)

    def __init__(self, pretrained: str, pipeline: Any = 'StableDiffusionInstructPix2PixPipeline',
                 instruction: str = 'make the {noun} {new_color}',
                 weights: WeightOptions | dict | None = None,
                 sampling: InstructSampling | dict | None = None, call: dict | None = None,
                 change_tolerance: float = 18., batch_size: int = 1, offload: str | None = None,
                 **flat: Any) -> None:
        self.weights, self.sampling = (
            read_options(group, name, given, **take_flat_keys(group, flat))
            for group, name, given in ((WeightOptions, 'weights', weights),
                                       (InstructSampling, 'sampling', sampling)))
        if flat:
            raise TypeError(f'{type(self).__name__} takes no {", ".join(sorted(flat))}')
        check_template(instruction, _WORDS)
        if offload not in _OFFLOADS:
            raise BadValue(f"offload must be 'model', 'sequential' or None, got {offload!r}")
        if batch_size < 1:
            raise BadValue(f'batch_size must be at least 1, got {batch_size}')
        loaded = not isinstance(pipeline, str)
        for source in filter(None, (None if loaded else pretrained, self.weights.lora)):
            check_source(source)
        self.name = type(pipeline).__name__ if loaded else pipeline
        self.family = family_of(self.name)
        if not loaded:
            self.family.check_packages(self.name)
        self.pretrained, self.pipeline, self.instruction = pretrained, pipeline, instruction
        self.call, self.change_tolerance = dict(call or {}), change_tolerance
        self.batch_size, self.offload = batch_size, offload

    @cached_property
    def model(self) -> Any:
        """Pipeline, loaded and checked at the first use."""
        pipe, weights = self.pipeline, self.weights
        kind = pipeline_class(pipe) if isinstance(pipe, str) else type(pipe)
        self.family.check_call(kind, self.call, self.sampling.guidance is not None)
        if isinstance(pipe, str):
            pipe = load_pipeline(pipe, self.pretrained, weights.torch_dtype,
                                 revision=weights.revision, **self.family.load)
        if weights.lora is not None:
            fuse_lora(pipe, weights.lora)
        parts = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
        for part in parts:
            part.requires_grad_(False).eval()
        if not isinstance(self.pipeline, str):
            move_parts(parts, 'cpu', weights.torch_dtype)
        _place(pipe, weights.torch_device, self.offload)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    @cached_property
    def digest_fields(self) -> dict[str, Any]:
        """Model, LoRA, instruction, size, steps, guidance, type, call and tolerance."""
        lora, sampling = self.weights.lora, self.sampling
        if isinstance(self.pipeline, str):
            model = dict(id=self.pretrained, revision=self.weights.revision,
                         fingerprint=fingerprint(resolve_pretrained(self.pretrained)))
        else:
            model = {name: fingerprint(part) for name, part in self.pipeline.components.items()
                     if isinstance(part, nn.Module)}
        return dict(
            type=type(self).__name__, model=model, pipeline=self.name,
            lora=fingerprint(resolve_pretrained(lora)) if lora else None,
            instruction=self.instruction, size=list(sampling.size), steps=sampling.steps,
            guidance=sampling.guidance, dtype=self.weights.dtype, call=self.call,
            change_tolerance=self.change_tolerance)

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit images of one size together, as many as the pipeline and `batch_size` allow.

        Raises:
            BadValue: Naming the job, if the pipeline takes no image so small, or returns another
                aspect; naming the pipeline's class, if it follows no instructions.
        """
        sizes = [self._size(request) for request in requests]
        limit = self.batch_size if self.family.batched else 1
        results: dict[int, EditResult] = {}
        for size, group in groupby(sorted(range(len(sizes)), key=sizes.__getitem__),
                                   sizes.__getitem__):
            places = list(group)
            for start in range(0, len(places), limit):
                chosen = places[start:start + limit]
                edited = self._edit_batch([requests[i] for i in chosen], size)
                results.update(zip(chosen, edited, strict=True))
        return [results[i] for i in range(len(requests))]

    def _size(self, request: EditRequest) -> tuple[int, int]:
        """Return (height, width) at which the pipeline works on a request."""
        height, width = self.sampling.size
        shape, multiple = request.image.size[::-1], self.family.sides(self.model)
        size = native_size(shape, height * width, multiple)
        if min(size) < self.family.least or _off_aspect(size, shape) > _SAME_ASPECT:
            raise BadValue(
                f'{request.job_id}: {self.name} works in multiples of {multiple} pixels from '
                f'{max(multiple, self.family.least)} on, too coarse for an image of {_times(shape)}'
                f' at the pixels of {_times(self.sampling.size)}; choose a larger size')
        return size

    def _edit_batch(self, requests: Sequence[EditRequest], size: tuple[int, int]
                    ) -> list[EditResult]:
        prompts = [request.instruction or _instruct(self.instruction, request)
                   for request in requests]
        images = [request.image.convert('RGB').resize(size[::-1], Image.Resampling.BICUBIC)
                  for request in requests]
        seeds = [request.seed for request in requests]
        asked = self.family.call(self.model, images, prompts, seeds, self.sampling.guidance,
                                 self.call)
        asked['num_inference_steps'] = self.sampling.steps
        with _counted_passes(self.model) as rows, _seeded(seeds[0]):
            edited = self.model(**asked).images
        return [self._finish(request, image, prompt, sum(rows) // len(requests))
                for request, image, prompt in zip(requests, edited, prompts, strict=True)]

    def _finish(self, request: EditRequest, edited: Image.Image, prompt: str, evals: int
                ) -> EditResult:
        """Bring an edited image back to the request's size and find out what changed."""
        made, wanted = edited.size[::-1], request.image.size[::-1]
        if _off_aspect(made, wanted) > _SAME_ASPECT:
            raise BadValue(
                f'{request.job_id}: {self.name} makes {_times(made)} of an image of '
                f'{_times(wanted)} (height x width), another aspect; take a pipeline whose call '
                'takes height and width')
        image = edited.convert('RGB').resize(wanted[::-1], Image.Resampling.BICUBIC)
        mask = change_mask(request.image, image, self.change_tolerance)
        if request.region in BANDS and find_kind(request.kind).on_garment:
            rows = (np.arange(wanted[0]) + .5) / wanted[0]
            mask &= ((rows > request.band[0]) & (rows < request.band[1]))[:, None]
        return EditResult(request.job_id, image, mask, evals, dict(prompt=prompt))


def _off_aspect(one: tuple[int, int], other: tuple[int, int]) -> float:
    return abs(math.log(one[0] / one[1] / other[0] * other[1]))


def _times(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'


def _instruct(instruction: str, request: EditRequest) -> str:
    return instruction.format(noun=request.noun, region=request.region,
                              old_color=request.old_color, new_color=request.new_color,
                              caption=request.target_caption)


def _place(pipe: Any, device: str, offload: str | None) -> None:
    """Move a pipeline to a device, or have its parts moved there and back."""
    with usable_device(device) as place:
        if offload is None:
            pipe.to(place)
            return
        if place.type == 'cpu':
            raise BadValue(f'offload={offload!r} moves parts of the model to a GPU and back; the '
                           'device is the CPU: leave it out')
        if find_spec('accelerate') is None:
            raise MissingPackage('offload needs accelerate: pip install "mmtbps[pdg]"')
        move = (pipe.enable_model_cpu_offload if offload == 'model'
                else pipe.enable_sequential_cpu_offload)
        move(device=device)


@contextmanager
def _counted_passes(pipe: Any) -> Iterator[list[int]]:
    """Collect the rows of each forward pass of the denoiser."""
    rows: list[int] = []

    def count(_module: nn.Module, inputs: tuple, keywords: dict[str, Any]) -> None:
        rows.append(len(inputs[0] if inputs else keywords['hidden_states']))

    hook = (getattr(pipe, 'unet', None) or pipe.transformer).register_forward_pre_hook(
        count, with_kwargs=True)
    try:
        yield rows
    finally:
        hook.remove()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global state too, and restore it: some pipelines draw without a generator.

    OmniGen encodes its image so. No pipeline that takes several images does.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
