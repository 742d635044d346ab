"""Evidence of what a picture shows, from models that know nothing of the editor."""

from .base import KEYPOINTS, PARTS, BaseEvidenceProvider, EditEvidence

__all__ = ['BaseEvidenceProvider', 'EditEvidence', 'KEYPOINTS', 'PARTS']
