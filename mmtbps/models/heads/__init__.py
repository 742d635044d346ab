"""Heads: what is trained on top of the features, and no search needs."""

from .attribute_head import AttributeHead
from .base import BaseHead
from .cmpm_head import CMPMHead
from .contrastive_head import HardnessAwareContrastiveHead
from .explanation_head import ExplanationWeightHead
from .fusion_mlm_head import FusionMLMHead
from .fusion_teacher_head import FusionTeacherHead
from .hardest_triplet_head import HardestTripletHead
from .identity_head import IdentityHead
from .matching_head import MatchingHead
from .mlm_head import MLMHead
from .noise_masking_head import NoiseMaskingHead
from .pairs import EncodedSide, GatheredPairs, Pairs, TrainingProgress
from .part_head import PartHead
from .partial_caption_head import PartialCaptionHead
from .prototype_attention_head import PrototypeAttentionHead
from .qc_align_head import QCAlignHead
from .restoration_head import RestorationHead
from .sdm_head import SDMHead
from .second_caption_head import SecondCaptionHead
from .sigmoid_head import SigmoidHead
from .simclr_head import SimCLRHead
from .syntbpr_head import SynTBPRHead
from .tal_head import TALHead
from .tbps_clip_head import TBPSCLIPHead
from .text_negatives_head import TextNegativesHead
from .wrapping_head import WrappingHead

__all__ = ['AttributeHead', 'BaseHead', 'CMPMHead', 'EncodedSide', 'ExplanationWeightHead',
           'FusionMLMHead', 'FusionTeacherHead', 'GatheredPairs', 'HardestTripletHead',
           'HardnessAwareContrastiveHead', 'IdentityHead', 'MLMHead', 'MatchingHead',
           'NoiseMaskingHead', 'Pairs', 'PartHead', 'PartialCaptionHead', 'PrototypeAttentionHead',
           'QCAlignHead', 'RestorationHead', 'SDMHead', 'SecondCaptionHead', 'SigmoidHead',
           'SimCLRHead', 'SynTBPRHead', 'TALHead', 'TBPSCLIPHead', 'TextNegativesHead',
           'TrainingProgress', 'WrappingHead']
