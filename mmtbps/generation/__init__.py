"""Proximity data generation: captions with one colour switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers or peft before it is used.
"""

from . import evidence, rewriting
from .color.colorspace import palette, rgb_to_lab
from .diffusion.finetune import CaptionedImages, DiffusionFinetuner, SaveLoraHook
from .diffusion.inversion import (
    DirectInversion,
    EditFriendlyInversion,
    NegativePromptInversion,
    NullTextInversion,
)
from .editing.base import BaseEditor, BaseUpscaler, EditRequest, EditResult
from .editing.instruct import InstructEditor
from .editing.options import (
    AttentionOptions,
    BlendOptions,
    InstructSampling,
    SamplingOptions,
    WeightOptions,
)
from .editing.prompt_to_prompt import P2PEditor
from .editing.recolor import RecolorEditor
from .editing.upscalers import LDMUpscaler, ResizeUpscaler, SDUpscaler
from .evidence.base import BaseEvidenceProvider, EditEvidence
from .planning import ColorSwitcher, ColorSwitchPlanner, RetellPlanner, SceneEditPlanner
from .planning.attribute_edits import AttributeSwitcher
from .planning.attribute_planner import AttributeEditPlanner
from .quality.base import BaseGate, GateVerdict, run_gates
from .quality.color_gates import EditStrengthGate, KeepColorsGate, LocalityGate, SanityGate
from .quality.gates import CaptionGate, ChangeGate, MaskGate, SeamGate
from .quality.negative_controls import try_controls
from .quality.place_gates import PlaceGate, PoseGate, PreserveGate
from .quality.scored_gates import CLIPGate, IdentityGate, RankingGate, VLMJudgeGate
from .quality.scorers import CLIPScorer, FeatureScorer, VLMScorer
from .runs.manifest import Record, load_done
from .runs.merge import merge_run
from .runs.plan import Job, read_plan, write_plan
from .runs.report import write_report
from .runs.retell_runner import RetellRunner, merge_retold
from .runs.run_summary import InvalidRun, RunSummary
from .runs.runner import ShardedRunner

__all__ = ['AttentionOptions', 'AttributeEditPlanner', 'AttributeSwitcher', 'BaseEditor',
           'BaseEvidenceProvider', 'BaseGate', 'BaseUpscaler', 'BlendOptions', 'CLIPGate',
           'CLIPScorer', 'CaptionGate', 'CaptionedImages', 'ChangeGate', 'ColorSwitchPlanner',
           'ColorSwitcher', 'DiffusionFinetuner', 'DirectInversion', 'EditEvidence',
           'EditFriendlyInversion', 'EditRequest', 'EditResult', 'EditStrengthGate',
           'FeatureScorer', 'GateVerdict', 'IdentityGate', 'InstructEditor', 'InstructSampling',
           'InvalidRun', 'Job', 'KeepColorsGate', 'LDMUpscaler', 'LocalityGate', 'MaskGate',
           'NegativePromptInversion', 'NullTextInversion', 'P2PEditor', 'PlaceGate', 'PoseGate',
           'PreserveGate', 'RankingGate', 'RecolorEditor', 'Record', 'ResizeUpscaler',
           'RetellPlanner', 'RetellRunner', 'RunSummary', 'SDUpscaler', 'SamplingOptions',
           'SanityGate', 'SaveLoraHook', 'SceneEditPlanner', 'SeamGate', 'ShardedRunner',
           'VLMJudgeGate', 'VLMScorer', 'WeightOptions', 'evidence', 'load_done', 'merge_retold',
           'merge_run', 'palette', 'read_plan', 'rewriting', 'rgb_to_lab', 'run_gates',
           'try_controls', 'write_plan', 'write_report']
