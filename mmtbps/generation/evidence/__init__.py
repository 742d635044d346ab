"""Evidence of what a picture shows, from models that know nothing of the editor."""

from .base import KEYPOINTS, PARTS, BaseEvidenceProvider, EditEvidence
from .collector import EvidenceCollector
from .human_parsing import HumanParsingProvider
from .mediapipe_person import MediaPipePersonProvider
from .mediapipe_pose import MediaPipePoseProvider
from .person_box import PersonBoxProvider
from .vit_pose import ViTPoseProvider

__all__ = ['BaseEvidenceProvider', 'EditEvidence', 'EvidenceCollector', 'HumanParsingProvider',
           'KEYPOINTS', 'MediaPipePersonProvider', 'MediaPipePoseProvider', 'PARTS',
           'PersonBoxProvider', 'ViTPoseProvider']
