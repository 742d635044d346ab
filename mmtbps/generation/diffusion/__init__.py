"""Latent diffusion: attention control, inversion, token alignment, fine-tuning."""

from .attention import (
    AttentionLayer,
    ControlSession,
    EditControl,
    attention_control,
    trace_attention,
)
from .inversion import Inversion
from .latent_diffusion import LatentDiffusion, Schedule

__all__ = ['AttentionLayer', 'ControlSession', 'EditControl', 'Inversion', 'LatentDiffusion',
           'Schedule', 'attention_control', 'trace_attention']
