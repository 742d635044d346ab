"""Prompt-to-Prompt on real images: the same person with one garment in another colour."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import TASK_UTILS

from ..color.colorspace import rgb_to_lab
from ..diffusion.attention import (
    AttentionLayer,
    ControlSession,
    EditControl,
    attention_control,
    trace_attention,
)
from ..diffusion.inversion import Inversion
from ..diffusion.latent_diffusion import (
    DTYPES,
    LatentDiffusion,
    Schedule,
    check_source,
    fingerprint,
    load_pipeline,
    move_parts,
)
from ..diffusion.pixels import images_to_tensor, resize_mask, tensor_to_image
from ..diffusion.tokens import EncodedCaption, caption_edits, encode_caption, span_tokens, token_map
from .base import BaseEditor, EditRequest, EditResult
from .recolor import garment_mask

__all__ = ['P2PEditor', 'build_control', 'sample_edit']

_NEVER = 1 << 30


def build_control(tokenizer: Any, request: EditRequest, steps: int, cross_replace: float = 0.8,
                  self_replace: float = 0.4, reweight: float = 1.0, mode: str = 'replace',
                  threshold: float = 0.3, blend_start: float | None = 0.2) -> EditControl:
    """The control of one edit.

    Args:
        tokenizer: See `encode_caption`.
        request: What to edit.
        steps: Sampling steps; the shares below are of these.
        cross_replace: Share of steps, from the first, that take over cross-attention.
        self_replace: The same for self-attention.
        reweight: Factor on the attention to the new colour's tokens.
        mode: See `token_map`.
        threshold: Of the mask, share of the hottest place.
        blend_start: Share of steps before the mask is applied; ``None`` for never.

    Raises:
        ValueError: Naming the job, if a caption is too long for the text encoder.
    """
    source, target = encode_request(tokenizer, request)
    length = tokenizer.model_max_length
    edits = caption_edits(request.source_caption, request.target_caption, request.source_span,
                          request.target_span)
    mapping, own = token_map(source, target, edits, length, mode)
    equalizer, words = torch.ones(length), torch.zeros(2, length, dtype=torch.bool)
    equalizer[slice(*span_tokens(target.offsets, request.target_span))] = reweight
    words[0, slice(*span_tokens(source.offsets, request.phrase_span))] = True
    words[1, slice(*span_tokens(target.offsets, request.target_phrase_span))] = True
    return EditControl(
        token_map=mapping[None], own=own[None], equalizer=equalizer[None], words=words[:, None],
        cross_steps=torch.tensor([round(cross_replace * steps)]),
        self_steps=torch.tensor([round(self_replace * steps)]),
        blend_from=torch.tensor([_NEVER if blend_start is None else round(blend_start * steps)]),
        threshold=torch.tensor([threshold]))


def encode_request(tokenizer: Any, request: EditRequest) -> tuple[EncodedCaption, EncodedCaption]:
    """Tokens of the driving caption before and after the edit.

    Raises:
        ValueError: Naming the job, if one is too long for the text encoder.
    """
    try:
        return (encode_caption(tokenizer, request.source_caption),
                encode_caption(tokenizer, request.target_caption))
    except ValueError as error:
        raise BadValue(f'{request.job_id}: {error}') from error


@torch.no_grad()
def sample_edit(model: LatentDiffusion, schedule: Schedule, inversion: Inversion,
                session: ControlSession, layers: dict[str, AttentionLayer],
                source_context: Tensor, target_context: Tensor, guidance: float
                ) -> tuple[Tensor, Tensor]:
    """Sample source and target side by side under attention control.

    A step's batch is ``[target uncond, source, target]``; only an inversion that guides its source
    adds ``source uncond`` in front.

    **Shapes**: contexts ``(E, K, D)`` -> source and target latents ``(E, C, H, W)``.
    """
    source = target = inversion.trajectory[0]
    first = len(schedule) - len(inversion)
    with attention_control(model.unet, session, layers):
        for k, null in enumerate(inversion.uncond):
            i = first + k
            free = [source, target] if inversion.guide_source else [target]
            noise = model.predict_noise(
                torch.cat([*free, source, target]), schedule.timesteps[i],
                torch.cat([*[null] * len(free), source_context, target_context]))
            *frees, of_source, of_target = noise.chunk(len(free) + 2)
            if inversion.guide_source:
                of_source = frees[0] + guidance * (of_source - frees[0])
            of_target = frees[-1] + guidance * (of_target - frees[-1])
            added = None if inversion.noise is None else inversion.noise[k]
            target = schedule.denoise(i, target, of_target, added)
            source = inversion.trajectory[k + 1] if inversion.replay else \
                schedule.denoise(i, source, of_source, added)
            target = session.end_step(source, target)
    return source, target


@TASK_UTILS.register_module()
class P2PEditor(BaseEditor):
    """Prompt-to-Prompt on real images with a Stable Diffusion model.

    The image is inverted, then sampled again beside itself with the new caption, under attention
    control (`EditControl`).

    Args:
        pretrained: Folder of a diffusers ``StableDiffusionPipeline``, or a hub name.
        pipeline: The loaded model instead: any object with ``unet``, ``vae``, ``text_encoder``,
            ``tokenizer`` and ``scheduler`` (see `LatentDiffusion`). It is moved and frozen.
        size: (height, width) the model works at. Results come back in the request's size.
        steps: Sampling steps.
        guidance: Scale of classifier-free guidance.
        inversion: Config of an `InversionMethod`; ``DirectInversion`` by default.
        cross_replace: See `build_control`.
        self_replace: See `build_control`.
        reweight: See `build_control`; CTLG used 6, which drives small models out of range.
        mode: See `build_control`.
        local_blend: ``threshold`` and ``start`` of the mask (see `build_control`), ``level`` and
            ``coarse`` (see `ControlSession`). ``None`` edits without a mask.
        self_min_level: See `ControlSession`.
        paste_back: Lab tolerance. Of the edit only pixels that had the garment's colour are kept
            (see `garment_mask`); all others stay the source's, untouched by the autoencoder and
            by what the coarse mask spills onto. ``None`` takes the edit whole.
        batch_size: Edits sampled at once; does not change what is sampled.
        dtype: Type of the weights: ``bf16``, ``fp16``, ``fp32`` or ``fp64``.
        device: CUDA where there is one by default.
        lora: Folder with LoRA weights, fused into the model.
        revision: Of the hub model.

    Raises:
        ImportError: If ``pretrained`` is given and diffusers is not installed.
        FileNotFoundError: If ``pretrained`` or ``lora`` is a path to nothing.
        ValueError: Unless exactly one of ``pretrained`` and ``pipeline`` is given; on an unknown
            dtype.
    """

    def __init__(self, pretrained: str | None = None, pipeline: Any = None,
                 size: tuple[int, int] = (640, 256), steps: int = 20, guidance: float = 5.0,
                 inversion: dict | None = None, cross_replace: float = 0.8,
                 self_replace: float = 0.4, reweight: float = 1.0, mode: str = 'replace',
                 local_blend: dict | None = None, self_min_level: int = 1,
                 paste_back: float | None = None, batch_size: int = 16, dtype: str = 'bf16',
                 device: str | None = None, lora: str | None = None,
                 revision: str | None = None) -> None:
        if (pretrained is None) == (pipeline is None):
            raise BadValue('give either pretrained or pipeline')
        if dtype not in DTYPES:
            raise BadValue(f'dtype must be one of {sorted(DTYPES)}, found {dtype!r}')
        for source in filter(None, (pretrained, lora)):
            check_source(source)
        self.pretrained, self.lora, self.revision = pretrained, lora, revision
        self.size, self.steps, self.guidance = tuple(size), steps, guidance
        self.inversion = TASK_UTILS.build(inversion or dict(type='DirectInversion'))
        blend = dict(local_blend or {})
        self.blend = dict(blend_level=blend.pop('level', None), coarse=blend.pop('coarse', False))
        self.control = dict(
            cross_replace=cross_replace, self_replace=self_replace, reweight=reweight, mode=mode,
            threshold=blend.pop('threshold', 0.3),
            blend_start=None if local_blend is None else blend.pop('start', 0.2))
        if blend:
            raise BadValue('local_blend takes threshold, start, level and coarse, not '
                           f'{sorted(blend)}')
        self.self_min_level, self.paste_back = self_min_level, paste_back
        self.batch_size, self.dtype = batch_size, dtype
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self._pipeline = pipeline
        self._layers: dict[tuple[int, ...], dict[str, AttentionLayer]] = {}

    @cached_property
    def model(self) -> LatentDiffusion:
        """The model, loaded at the first use."""
        pipe = self._pipeline
        if pipe is None:
            pipe = load_pipeline('StableDiffusionPipeline', self.pretrained, DTYPES[self.dtype],
                                 revision=self.revision, safety_checker=None,
                                 requires_safety_checker=False)
            if self.lora is not None:
                pipe.load_lora_weights(resolve_pretrained(self.lora))
                pipe.fuse_lora()
        move_parts((pipe.unet, pipe.vae, pipe.text_encoder), self.device, DTYPES[self.dtype])
        return LatentDiffusion(pipe.unet, pipe.vae, pipe.text_encoder, pipe.tokenizer,
                               pipe.scheduler)

    @cached_property
    def digest_fields(self) -> dict[str, Any]:
        """Model, inversion, control, size, steps, guidance and type."""
        if self._pipeline is None:
            weights = dict(id=self.pretrained, revision=self.revision,
                           fingerprint=fingerprint(resolve_pretrained(self.pretrained)))
        else:
            weights = {name: fingerprint(getattr(self._pipeline, name))
                       for name in ('unet', 'vae', 'text_encoder')}
        return dict(
            type=type(self).__name__, model=weights,
            lora=fingerprint(resolve_pretrained(self.lora)) if self.lora else None,
            size=list(self.size), steps=self.steps, guidance=self.guidance,
            inversion=self.inversion.digest_fields, control=self.control,
            self_min_level=self.self_min_level, **self.blend, paste_back=self.paste_back,
            dtype=self.dtype)

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit in batches of `batch_size`, in order."""
        return [result for start in range(0, len(requests), self.batch_size)
                for result in self._edit_batch(requests[start:start + self.batch_size])]

    def _edit_batch(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        model, schedule = self.model, Schedule(self.model.scheduler, self.steps)
        for request in requests:  # a caption that does not fit is known before work is spent
            encode_request(model.tokenizer, request)
        latents = model.encode_images(images_to_tensor([r.image for r in requests], self.size))
        captions = [r.source_caption for r in requests], [r.target_caption for r in requests]
        layers = self._trace(latents[:1])
        source_context, target_context = map(model.encode_text, captions)
        inversion = self.inversion(model, schedule, latents, source_context, self.guidance,
                                   [r.seed for r in requests])
        session = self._session(requests, len(inversion), layers)
        _, edited = sample_edit(model, schedule, inversion, session, layers, source_context,
                                target_context, self.guidance)
        images, masks = model.decode(edited), session.mask(edited.shape[-2:])
        if images.shape[-2:] != self.size:
            raise BadValue(f'the model gives images of {tuple(images.shape[-2:])} for size '
                           f'{self.size}; choose a multiple of its down-scaling')
        branches = 4 if inversion.guide_source else 3
        return [EditResult(
            request.job_id, *self._finish(request, image, mask[0]),
            evals + branches * len(inversion),
            dict(unet_backwards=backwards) if backwards else {})
            for request, image, mask, evals, backwards in zip(
                requests, images, masks, inversion.evals, inversion.backwards, strict=True)]

    def _finish(self, request: EditRequest, image: Tensor, mask: Tensor
                ) -> tuple[Image.Image, np.ndarray]:
        """The edited image and its mask, in the request's size."""
        size = request.image.size
        edited, mask = tensor_to_image(image, size), resize_mask(mask, size)
        if self.paste_back is None:
            return edited, mask
        source = np.asarray(request.image.convert('RGB'))
        mask &= garment_mask(rgb_to_lab(source), request.old_color, request.band, self.paste_back)
        return Image.fromarray(np.where(mask[..., None], np.asarray(edited), source)), mask

    def _session(self, requests: Sequence[EditRequest], steps: int,
                 layers: dict[str, AttentionLayer]) -> ControlSession:
        control = EditControl.stack([
            build_control(self.model.tokenizer, request, steps, **self.control)
            for request in requests])
        return ControlSession(control.to(self.model.device, self.model.latent_dtype), layers,
                              self.self_min_level, **self.blend)

    def _trace(self, latents: Tensor) -> dict[str, AttentionLayer]:
        """The controlled layers, proved to be reached once for each latent size."""
        shape = tuple(latents.shape)
        if shape not in self._layers:
            model = self.model
            self._layers[shape] = trace_attention(
                model.unet, latents.to(model.dtype), model.encode_text(['']).to(model.dtype))
        return self._layers[shape]
