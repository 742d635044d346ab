"""Evidence of what a picture shows, from models that know nothing of the editor."""

from .base import KEYPOINTS, PARTS, BaseEvidenceProvider, EditEvidence
from .collector import EvidenceCollector

__all__ = ['BaseEvidenceProvider', 'EditEvidence', 'EvidenceCollector', 'KEYPOINTS', 'PARTS']
