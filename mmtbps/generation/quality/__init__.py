"""Gates that judge edits, and the negative controls that judge the gates."""

from .base import BaseGate, GateVerdict, run_gates
from .gates import (
    CaptionGate,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    RankingGate,
    SanityGate,
    SeamGate,
)
from .negative_controls import (
    CONTROLS,
    PLACE_CONTROLS,
    negative_controls,
    other_color,
    try_controls,
)
from .place_gates import PlaceGate, PoseGate, PreserveGate

__all__ = ['BaseGate', 'CONTROLS', 'CaptionGate', 'EditStrengthGate', 'GateVerdict',
           'KeepColorsGate', 'LocalityGate', 'MaskGate', 'PLACE_CONTROLS', 'PlaceGate', 'PoseGate',
           'PreserveGate', 'RankingGate', 'SanityGate', 'SeamGate', 'negative_controls',
           'other_color', 'run_gates', 'try_controls']
