"""Proximity data generation: captions with one colour switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers or peft before it is used.
"""

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
from .evidence.collector import EvidenceCollector
from .evidence.human_parsing import HumanParsingProvider
from .evidence.mediapipe_person import MediaPipePersonProvider
from .evidence.mediapipe_pose import MediaPipePoseProvider
from .evidence.person_box import PersonBoxProvider
from .evidence.vit_pose import ViTPoseProvider
from .planning.caption_edits import ColorSwitcher
from .planning.planner import ColorSwitchPlanner
from .quality.base import BaseGate, GateVerdict, run_gates
from .quality.gates import (
    CaptionGate,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    RankingGate,
    SanityGate,
    SeamGate,
)
from .quality.negative_controls import try_controls
from .quality.place_gates import PlaceGate, PoseGate, PreserveGate
from .retelling import Captioner, LanguageModelRewriter, RecordedRewriter, RuleRewriter
from .retelling.runner import RetellPlanner, RetellRunner, merge_retold
from .runs.manifest import Record, load_done
from .runs.merge import merge_run
from .runs.plan import Job, read_plan, write_plan
from .runs.report import write_report
from .runs.run_summary import InvalidRun, RunSummary
from .runs.runner import ShardedRunner

__all__ = ['AttentionOptions', 'BaseEditor', 'BaseEvidenceProvider', 'BaseGate', 'BaseUpscaler',
           'BlendOptions', 'CaptionGate', 'CaptionedImages', 'Captioner', 'ColorSwitchPlanner',
           'ColorSwitcher', 'DiffusionFinetuner', 'DirectInversion', 'EditEvidence',
           'EditFriendlyInversion', 'EditRequest', 'EditResult', 'EditStrengthGate',
           'EvidenceCollector', 'GateVerdict', 'HumanParsingProvider', 'InstructEditor',
           'InstructSampling', 'InvalidRun', 'Job', 'KeepColorsGate', 'LDMUpscaler',
           'LanguageModelRewriter', 'LocalityGate', 'MaskGate', 'MediaPipePersonProvider',
           'MediaPipePoseProvider', 'NegativePromptInversion', 'NullTextInversion', 'P2PEditor',
           'PersonBoxProvider', 'PlaceGate', 'PoseGate', 'PreserveGate', 'RankingGate',
           'RecolorEditor', 'Record', 'RecordedRewriter', 'ResizeUpscaler', 'RetellPlanner',
           'RetellRunner', 'RuleRewriter', 'RunSummary', 'SDUpscaler', 'SamplingOptions',
           'SanityGate', 'SaveLoraHook', 'SeamGate', 'ShardedRunner', 'ViTPoseProvider',
           'WeightOptions', 'load_done', 'merge_retold', 'merge_run', 'palette', 'read_plan',
           'rgb_to_lab', 'run_gates', 'try_controls', 'write_plan', 'write_report']
