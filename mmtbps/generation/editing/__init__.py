"""Editors that give a garment another colour, and the upscalers in front of them."""

from .base import BaseEditor, BaseUpscaler, EditRequest, EditResult
from .edit_kinds import EDIT_KINDS, EditKind, find_kind, kinds_that
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

__all__ = ['AttentionOptions', 'BaseEditor', 'BaseUpscaler', 'BlendOptions', 'EDIT_KINDS',
           'EditKind', 'EditRequest', 'EditResult', 'FAMILIES', 'InstructEditor', 'InstructFamily',
           'InstructSampling', 'LDMUpscaler', 'P2PEditor', 'RecolorEditor', 'ResizeUpscaler',
           'SDUpscaler', 'SamplingOptions', 'WeightOptions', 'build_control', 'find_kind',
           'garment_cover', 'garment_mask', 'kinds_that', 'request_cover', 'request_mask',
           'sample_edit', 'shift_color']
