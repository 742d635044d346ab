"""Gates that judge an edit, and the negative controls that judge the gates."""

from .gates import BaseGate, GateVerdict, run_gates
from .negative_controls import try_controls

__all__ = ['BaseGate', 'GateVerdict', 'run_gates', 'try_controls']
