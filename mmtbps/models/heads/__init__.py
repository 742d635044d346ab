"""Heads: what is trained on top of the features, and no search needs."""

from .base import BaseHead
from .cmpm_head import CMPMHead
from .contrastive_head import HardnessAwareContrastiveHead
from .fusion_mlm_head import FusionMLMHead
from .hardest_triplet_head import HardestTripletHead
from .identity_head import IdentityHead
from .matching_head import MatchingHead
from .mlm_head import MLMHead
from .pairs import EncodedSide, GatheredPairs, Pairs, TrainingProgress
from .part_head import PartHead
from .qc_align_head import QCAlignHead
from .sdm_head import SDMHead
from .sigmoid_head import SigmoidHead
from .simclr_head import SimCLRHead
from .tal_head import TALHead
from .tbps_clip_head import TBPSCLIPHead

__all__ = ['BaseHead', 'CMPMHead', 'EncodedSide', 'FusionMLMHead', 'GatheredPairs',
           'HardestTripletHead', 'HardnessAwareContrastiveHead', 'IdentityHead', 'MLMHead',
           'MatchingHead', 'Pairs', 'PartHead', 'QCAlignHead', 'SDMHead', 'SigmoidHead',
           'SimCLRHead', 'TALHead', 'TBPSCLIPHead', 'TrainingProgress']
