"""What turns knobs while training: hooks and the mixed-precision wrapper."""

from .finite_loss_hook import FiniteLossHook
from .mixed_precision import MixedPrecisionOptimWrapper
from .mixup_hook import FeatureMixupHook
from .rank_list_hook import RankListHook
from .seed_hook import EpochSeedHook

__all__ = ['EpochSeedHook', 'FeatureMixupHook', 'FiniteLossHook', 'MixedPrecisionOptimWrapper',
           'RankListHook']
