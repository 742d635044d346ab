"""Prompt-to-Prompt on real images: the same person with one garment in another colour."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import TASK_UTILS

from ..diffusion.attention import (
    AttentionLayer,
    ControlSession,
    EditControl,
    attention_control,
    trace_attention,
)
from ..diffusion.inversion import Inversion
from ..diffusion.latent_diffusion import (
    LatentDiffusion,
    Schedule,
    check_source,
    fingerprint,
    move_parts,
)
from ..diffusion.loaded_parts import fuse_lora
from ..diffusion.pipelines import check_stable_diffusion, load_pipeline
from ..diffusion.pixels import images_to_tensor, resize_mask, tensor_to_image
from ..diffusion.tokens import EncodedCaption, caption_edits, encode_caption, span_tokens, token_map
from .base import BaseEditor, EditRequest, EditResult
from .options import (
    AttentionOptions,
    BlendOptions,
    SamplingOptions,
    WeightOptions,
    read_options,
    take_flat_keys,
)
from .recolor import request_mask

__all__ = ['P2PEditor', 'build_control', 'sample_edit']

_NEVER = 1 << 30


def build_control(tokenizer: Any, request: EditRequest, steps: int,
                  attention: AttentionOptions | None = None,
                  blend: BlendOptions | None = None) -> EditControl:
    """Build the attention control of one edit.

    Args:
        tokenizer: See `encode_caption`.
        request: What to edit.
        steps: Sampling steps; the shares of the options are of these.
        attention: Attention to take over; the defaults if it is missing.
        blend: Mask of the edit; the defaults if it is missing.

    Raises:
        BadValue: Naming the job, if a caption is too long for the text encoder.
    """
    attention, blend = attention or AttentionOptions(), blend or BlendOptions()
    source, target = encode_request(tokenizer, request)
    length = tokenizer.model_max_length
    edits = caption_edits(request.source_caption, request.target_caption, request.source_span,
                          request.target_span)
    mapping, own = token_map(source, target, edits, length, attention.mode)
    equalizer, words = torch.ones(length), torch.zeros(2, length, dtype=torch.bool)
    equalizer[slice(*span_tokens(target.offsets, request.target_span))] = attention.reweight
    words[0, slice(*span_tokens(source.offsets, request.phrase_span))] = True
    words[1, slice(*span_tokens(target.offsets, request.target_phrase_span))] = True
    return EditControl(
        token_map=mapping[None], own=own[None], equalizer=equalizer[None], words=words[:, None],
        cross_steps=torch.tensor([round(attention.cross_replace * steps)]),
        self_steps=torch.tensor([round(attention.self_replace * steps)]),
        blend_from=torch.tensor([_NEVER if blend.start is None else round(blend.start * steps)]),
        threshold=torch.tensor([blend.threshold]))


def encode_request(tokenizer: Any, request: EditRequest) -> tuple[EncodedCaption, EncodedCaption]:
    """Encode the driving caption before and after the edit to tokens.

    Raises:
        BadValue: Naming the job, if one is too long for the text encoder.
    """
    try:
        return (encode_caption(tokenizer, request.source_caption),
                encode_caption(tokenizer, request.target_caption))
    except BadValue as error:
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

    Every option of a group may also stand beside the groups, as in configs of version 0.1.0
    (``steps=20`` instead of ``sampling=dict(steps=20)``); there it takes the place of the group's.

    Args:
        pretrained: Folder of a diffusers ``StableDiffusionPipeline``, or a hub name.
        pipeline: The loaded model instead: any object with ``unet``, ``vae``, ``text_encoder``,
            ``tokenizer`` and ``scheduler`` (see `LatentDiffusion`). It is moved and frozen.
        weights: Options, or their keys, see `WeightOptions`.
        sampling: See `SamplingOptions`.
        attention: See `AttentionOptions`.
        local_blend: See `BlendOptions`. ``None`` edits without holding anything to the source.
        paste_back: Lab tolerance. Of the edit only pixels that had the garment's colour are kept
            and lie where evidence allows it (see `request_cover`); all others stay the source's,
            untouched by the autoencoder and by what the coarse mask spills onto. ``None`` takes
            the edit whole.
        batch_size: Edits sampled at once; does not change what is sampled.
        flat: Keys of ``weights``, ``sampling`` and ``attention``.

    Raises:
        MissingPackage: If ``pretrained`` is given and diffusers is not installed.
        MissingFile: If ``pretrained`` or ``lora`` is a path to nothing.
        BadValue: Unless exactly one of ``pretrained`` and ``pipeline`` is given; on an unknown
            dtype or key of a group; if the model is not of Stable Diffusion 1 or 2 (one of a hub
            is looked at when it is loaded).
        TypeError: On an unknown key beside the groups.
    """

    def __init__(self, pretrained: str | None = None, pipeline: Any = None,
                 weights: WeightOptions | dict | None = None,
                 sampling: SamplingOptions | dict | None = None,
                 attention: AttentionOptions | dict | None = None,
                 local_blend: BlendOptions | dict | None = None,
                 paste_back: float | None = None, batch_size: int = 16, **flat: Any) -> None:
        if (pretrained is None) == (pipeline is None):
            raise BadValue('give either pretrained or pipeline')
        self.weights, self.sampling, self.attention = (
            read_options(group, name, given, **take_flat_keys(group, flat))
            for group, name, given in ((WeightOptions, 'weights', weights),
                                       (SamplingOptions, 'sampling', sampling),
                                       (AttentionOptions, 'attention', attention)))
        if flat:
            raise TypeError(f'{type(self).__name__} takes no {", ".join(sorted(flat))}')
        self.blend = (BlendOptions(start=None) if local_blend is None
                      else read_options(BlendOptions, 'local_blend', local_blend))
        if self.weights.lora:
            check_source(self.weights.lora)
        check_stable_diffusion(pipeline or check_source(pretrained), type(self).__name__)
        self.pretrained, self.paste_back, self.batch_size = pretrained, paste_back, batch_size
        self.inversion = TASK_UTILS.build(self.sampling.inversion or dict(type='DirectInversion'))
        self._pipeline = pipeline
        self._layers: dict[tuple[int, ...], dict[str, AttentionLayer]] = {}

    @cached_property
    def model(self) -> LatentDiffusion:
        """Model, loaded at the first use."""
        pipe, weights = self._pipeline, self.weights
        if pipe is None:
            pipe = load_pipeline('StableDiffusionPipeline', self.pretrained, weights.torch_dtype,
                                 revision=weights.revision, safety_checker=None,
                                 requires_safety_checker=False)
            check_stable_diffusion(pipe, type(self).__name__)
            if weights.lora is not None:
                fuse_lora(pipe, weights.lora)
        move_parts((pipe.unet, pipe.vae, pipe.text_encoder), weights.torch_device,
                   weights.torch_dtype)
        return LatentDiffusion(pipe.unet, pipe.vae, pipe.text_encoder, pipe.tokenizer,
                               pipe.scheduler)

    @cached_property
    def digest_fields(self) -> dict[str, Any]:
        """Model, inversion, control, size, steps, guidance and type.

        Keys and order are those of version 0.1.0: a run goes on with any later one.
        """
        if self._pipeline is None:
            model = dict(id=self.pretrained, revision=self.weights.revision,
                         fingerprint=fingerprint(resolve_pretrained(self.pretrained)))
        else:
            model = {name: fingerprint(getattr(self._pipeline, name))
                     for name in ('unet', 'vae', 'text_encoder')}
        lora, sampling = self.weights.lora, self.sampling
        attention, blend = asdict(self.attention), self.blend
        self_min_level = attention.pop('self_min_level')
        return dict(
            type=type(self).__name__, model=model,
            lora=fingerprint(resolve_pretrained(lora)) if lora else None,
            size=list(sampling.size), steps=sampling.steps, guidance=sampling.guidance,
            inversion=self.inversion.digest_fields,
            control=dict(attention, threshold=blend.threshold, blend_start=blend.start),
            self_min_level=self_min_level, blend_level=blend.level, coarse=blend.coarse,
            paste_back=self.paste_back, dtype=self.weights.dtype)

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit in batches of `batch_size`, in order.

        Raises:
            BadValue: If a request is of another kind than colour.
        """
        self.refuse_other_kinds(requests)
        return [result for start in range(0, len(requests), self.batch_size)
                for result in self._edit_batch(requests[start:start + self.batch_size])]

    def _edit_batch(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        model, size = self.model, self.sampling.size
        schedule, guidance = Schedule(model.scheduler, self.sampling.steps), self.sampling.guidance
        for request in requests:  # a caption that does not fit is known before work is spent
            encode_request(model.tokenizer, request)
        latents = model.encode_images(images_to_tensor([r.image for r in requests], size))
        captions = [r.source_caption for r in requests], [r.target_caption for r in requests]
        layers = self._trace(latents[:1])
        source_context, target_context = map(model.encode_text, captions)
        inversion = self.inversion(model, schedule, latents, source_context, guidance,
                                   [r.seed for r in requests])
        session = self.control_session(requests, len(inversion), layers)
        _, edited = sample_edit(model, schedule, inversion, session, layers, source_context,
                                target_context, guidance)
        images, masks = model.decode(edited), session.mask(edited.shape[-2:])
        if images.shape[-2:] != size:
            raise BadValue(f'the model gives images of {tuple(images.shape[-2:])} for size '
                           f'{size}; choose a multiple of its down-scaling')
        branches = 4 if inversion.guide_source else 3
        return [EditResult(
            request.job_id, *self._finish(request, image, mask[0]),
            evals + branches * len(inversion),
            dict(unet_backwards=backwards) if backwards else {})
            for request, image, mask, evals, backwards in zip(
                requests, images, masks, inversion.evals, inversion.backwards, strict=True)]

    def _finish(self, request: EditRequest, image: Tensor, mask: Tensor
                ) -> tuple[Image.Image, np.ndarray]:
        """Return the edited image and its mask, in the request's size."""
        size = request.image.size
        edited, mask = tensor_to_image(image, size), resize_mask(mask, size)
        if self.paste_back is None:
            return edited, mask
        source = np.asarray(request.image.convert('RGB'))
        mask &= request_mask(request, self.paste_back)
        return Image.fromarray(np.where(mask[..., None], np.asarray(edited), source)), mask

    def control_session(self, requests: Sequence[EditRequest], steps: int,
                        layers: dict[str, AttentionLayer]) -> ControlSession:
        """Build the control of a batch of edits.

        Args:
            requests: What to edit.
            steps: Sampling steps.
            layers: From `trace_attention`.
        """
        control = EditControl.stack([
            build_control(self.model.tokenizer, request, steps, self.attention, self.blend)
            for request in requests])
        return ControlSession(control.to(self.model.device, self.model.latent_dtype), layers,
                              self.attention.self_min_level, self.blend.level, self.blend.coarse)

    def _trace(self, latents: Tensor) -> dict[str, AttentionLayer]:
        """Return the controlled layers, proved to be reached once for each latent size."""
        shape = tuple(latents.shape)
        if shape not in self._layers:
            model = self.model
            self._layers[shape] = trace_attention(
                model.unet, latents.to(model.dtype), model.encode_text(['']).to(model.dtype))
        return self._layers[shape]
