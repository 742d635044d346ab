"""Gates that judge edits, and the negative controls that judge the gates."""

from .base import BaseGate, GateVerdict, run_gates
from .color_gates import EditStrengthGate, KeepColorsGate, LocalityGate, SanityGate
from .gates import CaptionGate, ChangeGate, MaskGate, SeamGate
from .negative_controls import (
    CONTROLS,
    PLACE_CONTROLS,
    negative_controls,
    other_color,
    try_controls,
)
from .place_gates import PlaceGate, PoseGate, PreserveGate
from .scored_gates import CLIPGate, IdentityGate, RankingGate, VLMJudgeGate
from .scorers import BaseScorer, CLIPScorer, FeatureScorer, VLMScorer

__all__ = ['BaseGate', 'BaseScorer', 'CLIPGate', 'CLIPScorer', 'CONTROLS', 'CaptionGate',
           'ChangeGate', 'EditStrengthGate', 'FeatureScorer', 'GateVerdict', 'IdentityGate',
           'KeepColorsGate', 'LocalityGate', 'MaskGate', 'PLACE_CONTROLS', 'PlaceGate', 'PoseGate',
           'PreserveGate', 'RankingGate', 'SanityGate', 'SeamGate', 'VLMJudgeGate', 'VLMScorer',
           'negative_controls', 'other_color', 'run_gates', 'try_controls']
