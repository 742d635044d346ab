"""Editors that give a garment another colour, and the upscalers in front of them."""

from .base import BaseEditor, BaseUpscaler, EditRequest, EditResult
from .instruct import InstructEditor
from .instruct_families import FAMILIES, InstructFamily
from .options import (
    AttentionOptions,
    BlendOptions,
    InstructSampling,
    SamplingOptions,
    WeightOptions,
)
from .prompt_to_prompt import P2PEditor, build_control, sample_edit
from .recolor import (
    RecolorEditor,
    garment_cover,
    garment_mask,
    request_cover,
    request_mask,
    shift_color,
)
from .upscalers import LDMUpscaler, ResizeUpscaler, SDUpscaler

__all__ = ['AttentionOptions', 'BaseEditor', 'BaseUpscaler', 'BlendOptions', 'EditRequest',
           'EditResult', 'FAMILIES', 'InstructEditor', 'InstructFamily', 'InstructSampling',
           'LDMUpscaler', 'P2PEditor', 'RecolorEditor', 'ResizeUpscaler', 'SDUpscaler',
           'SamplingOptions', 'WeightOptions', 'build_control', 'garment_cover', 'garment_mask',
           'request_cover', 'request_mask', 'sample_edit', 'shift_color']
