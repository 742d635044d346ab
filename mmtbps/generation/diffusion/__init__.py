"""Latent diffusion models: inversion, attention control, LoRA fine-tuning, a toy model."""

from .attention import (
    AttentionLayer,
    ControlSession,
    EditControl,
    UnfitModel,
    attention_control,
    blend_mask,
    control_cross_attention,
    trace_attention,
)
from .finetune import CaptionedImages, DiffusionFinetuner, SaveLoraHook, denoising_loss
from .inversion import (
    DirectInversion,
    EditFriendlyInversion,
    Inversion,
    InversionMethod,
    NegativePromptInversion,
    NullTextInversion,
    ddim_trajectory,
    optimise_null_text,
)
from .latent_diffusion import (
    DTYPES,
    LatentDiffusion,
    Schedule,
    check_dtype,
    check_source,
    ddim_step,
    ddpm_sigma,
    fingerprint,
    move_parts,
)
from .pipelines import check_stable_diffusion, load_pipeline, pipeline_class
from .pixels import images_to_tensor, native_size, resize_mask, tensor_to_image
from .prior import PriorOptions, read_prior, text_distillation, update_norm, without_updates
from .tokens import EncodedCaption, Span, caption_edits, encode_caption, span_tokens, token_map
from .toy import IMAGE_SIZE, build_toy, save_toy

__all__ = ['AttentionLayer', 'CaptionedImages', 'ControlSession', 'DTYPES', 'DiffusionFinetuner',
           'DirectInversion', 'EditControl', 'EditFriendlyInversion', 'EncodedCaption',
           'IMAGE_SIZE', 'Inversion', 'InversionMethod', 'LatentDiffusion',
           'NegativePromptInversion', 'NullTextInversion', 'PriorOptions', 'SaveLoraHook',
           'Schedule', 'Span', 'UnfitModel', 'attention_control', 'blend_mask', 'build_toy',
           'caption_edits', 'check_dtype', 'check_source', 'check_stable_diffusion',
           'control_cross_attention', 'ddim_step', 'ddim_trajectory', 'ddpm_sigma',
           'denoising_loss', 'encode_caption', 'fingerprint', 'images_to_tensor', 'load_pipeline',
           'move_parts', 'native_size', 'optimise_null_text', 'pipeline_class', 'read_prior',
           'resize_mask', 'save_toy', 'span_tokens', 'tensor_to_image', 'text_distillation',
           'token_map', 'trace_attention', 'update_norm', 'without_updates']
