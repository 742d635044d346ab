"""Proximity data generation: captions with one color switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers before it is used.
"""

from .diffusion.finetune import DiffusionFinetuner, SaveLoraHook
from .diffusion.inversion import (
    DirectInversion,
    EditFriendlyInversion,
    NegativePromptInversion,
    NullTextInversion,
)
from .editing.base import BaseEditor, BaseUpscaler, EditRequest, EditResult
from .editing.instruct import InstructEditor
from .editing.prompt_to_prompt import P2PEditor
from .editing.recolor import RecolorEditor
from .editing.upscalers import LDMUpscaler, ResizeUpscaler, SDUpscaler
from .planning.caption_edits import ColorSwitcher
from .planning.planner import ColorSwitchPlanner
from .quality.gates import BaseGate, GateVerdict, run_gates
from .quality.negative_controls import try_controls
from .runs.merge import merge
from .runs.plan import Job, read_plan, write_plan
from .runs.report import write_report
from .runs.run_summary import InvalidRun, RunSummary
from .runs.runner import ShardedRunner

__all__ = [
    'BaseEditor', 'BaseGate', 'BaseUpscaler', 'ColorSwitchPlanner', 'ColorSwitcher',
    'DiffusionFinetuner', 'DirectInversion', 'EditFriendlyInversion', 'EditRequest',
    'EditResult', 'GateVerdict', 'InstructEditor', 'InvalidRun', 'Job', 'LDMUpscaler',
    'NegativePromptInversion', 'NullTextInversion', 'P2PEditor', 'RecolorEditor',
    'ResizeUpscaler', 'RunSummary', 'SDUpscaler', 'SaveLoraHook', 'ShardedRunner', 'merge',
    'read_plan', 'run_gates', 'try_controls', 'write_plan', 'write_report']
