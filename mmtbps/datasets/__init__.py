"""Data sets of text-based person search, their samplers and transforms."""

from . import transforms
from .cuhk_pedes import CUHKPEDES
from .drawn_pedes import DrawnPEDES
from .icfg_pedes import ICFGPEDES
from .rstp_reid import RSTPReid
from .samplers import IdentitySampler, SeededIndex, SeededSampler, UniquePersonBatchSampler
from .tbps_dataset import TBPSDataset
from .transforms import stack_pairs
from .wrappers import ClassBalancedDataset, ConcatDataset, RepeatDataset

__all__ = ['CUHKPEDES', 'ClassBalancedDataset', 'ConcatDataset', 'DrawnPEDES', 'ICFGPEDES',
           'RSTPReid', 'RepeatDataset', 'TBPSDataset', 'IdentitySampler', 'SeededIndex',
           'SeededSampler', 'UniquePersonBatchSampler', 'stack_pairs', 'transforms']
