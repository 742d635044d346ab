"""Gates that judge edits, and the negative controls that judge the gates."""

from .gates import (
    BaseGate,
    CaptionGate,
    EditStrengthGate,
    GateVerdict,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    RankingGate,
    SanityGate,
    SeamGate,
    run_gates,
)
from .negative_controls import CONTROLS, negative_controls, other_color, try_controls

__all__ = ['BaseGate', 'CONTROLS', 'CaptionGate', 'EditStrengthGate', 'GateVerdict',
           'KeepColorsGate', 'LocalityGate', 'MaskGate', 'RankingGate', 'SanityGate', 'SeamGate',
           'negative_controls', 'other_color', 'run_gates', 'try_controls']
