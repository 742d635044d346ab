"""Evidence of what a picture shows, from models that know nothing of the editor."""

from .base import KEYPOINTS, PARTS, BaseEvidenceProvider, EditEvidence
from .collector import EvidenceCollector
from .mediapipe_person import MediaPipePersonProvider
from .mediapipe_pose import MediaPipePoseProvider

__all__ = ['BaseEvidenceProvider', 'EditEvidence', 'EvidenceCollector', 'KEYPOINTS',
           'MediaPipePersonProvider', 'MediaPipePoseProvider', 'PARTS']
