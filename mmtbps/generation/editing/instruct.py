"""Editing by instruction, with any pipeline of diffusers made for it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from ..diffusion.latent_diffusion import DTYPES, check_dtype, check_source
from ..diffusion.pipelines import load_pipeline
from .base import BaseEditor, EditRequest, EditResult

__all__ = ['InstructEditor']


@TASK_UTILS.register_module()
class InstructEditor(BaseEditor):
    """Editor by any pipeline of diffusers that takes an image and an instruction.

    No mask and no exact background: an optional stand-in for `P2PEditor`.

    Args:
        pretrained: Folder or hub name.
        pipeline: Class name in diffusers; or a loaded pipeline, then ``pretrained`` only names it.
        instruction: May use ``{noun}``, ``{region}``, ``{old_color}`` and ``{new_color}``.
        size: (height, width) the model works at.
        steps: Sampling steps.
        dtype: Type of the weights.
        device: CUDA where there is one by default.
        call: More keywords for the pipeline's call, such as ``guidance_scale``.

    Raises:
        MissingPackage: If diffusers is needed and not installed.
        MissingFile: If ``pretrained`` is a path to nothing.
        BadValue: If the instruction asks for another value, or on an unknown dtype.
    """

    def __init__(self, pretrained: str, pipeline: Any = 'StableDiffusionInstructPix2PixPipeline',
                 instruction: str = 'make the {noun} {new_color}',
                 size: tuple[int, int] = (640, 256), steps: int = 20, dtype: str = 'bf16',
                 device: str | None = None, call: dict | None = None) -> None:
        if isinstance(pipeline, str):
            check_source(pretrained)
        try:
            instruction.format(noun='', region='', old_color='', new_color='')
        except (KeyError, IndexError, ValueError) as error:
            raise BadValue('an instruction may use {noun}, {region}, {old_color} and {new_color}, '
                           f'got {instruction!r}') from error
        self.pretrained, self.pipeline, self.instruction = pretrained, pipeline, instruction
        self.size, self.steps, self.dtype = tuple(size), steps, check_dtype(dtype)
        self.call = dict(call or {})
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')

    @cached_property
    def _loaded(self) -> Any:
        pipe = self.pipeline
        if isinstance(pipe, str):
            pipe = load_pipeline(pipe, self.pretrained, DTYPES[self.dtype])
        pipe = pipe.to(self.device, DTYPES[self.dtype])
        pipe.set_progress_bar_config(disable=True)
        return pipe

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Model, instruction, size, steps, type and call."""
        name = self.pipeline if isinstance(self.pipeline, str) else type(self.pipeline).__name__
        return dict(type=type(self).__name__, model=self.pretrained, pipeline=name,
                    instruction=self.instruction, size=list(self.size), steps=self.steps,
                    dtype=self.dtype, call=self.call)

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit one by one: not every pipeline takes a batch."""
        return [self._edit_one(request) for request in requests]

    def _edit_one(self, request: EditRequest) -> EditResult:
        pipe, evals = self._loaded, 0

        def count(_module, inputs, keywords):
            nonlocal evals
            evals += len(inputs[0] if inputs else keywords['hidden_states'])

        denoiser = getattr(pipe, 'unet', None) or pipe.transformer
        hook = denoiser.register_forward_pre_hook(count, with_kwargs=True)
        prompt = self.instruction.format(
            noun=request.noun, region=request.region, old_color=request.old_color,
            new_color=request.new_color)
        source = request.image.resize(self.size[::-1], Image.Resampling.BICUBIC)
        try:
            image = pipe(
                prompt=prompt, image=source, num_inference_steps=self.steps,
                generator=torch.Generator().manual_seed(request.seed), **self.call).images[0]
        finally:
            hook.remove()
        image = image.convert('RGB').resize(request.image.size, Image.Resampling.BICUBIC)
        return EditResult(request.job_id, image, unet_evals=evals, extras=dict(prompt=prompt))
