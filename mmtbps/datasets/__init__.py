"""Data sets of text-based person search, their samplers and transforms."""

from . import transforms
from .cuhk_pedes import CUHKPEDES
from .drawn_pedes import DrawnPEDES
from .icfg_pedes import ICFGPEDES
from .rstp_reid import RSTPReid
from .samplers import IdentitySampler, SeededIndex, SeededSampler, UniquePersonBatchSampler
from .tbps_dataset import TBPSDataset
from .transforms import stack_pairs

__all__ = ['CUHKPEDES', 'DrawnPEDES', 'ICFGPEDES', 'RSTPReid', 'TBPSDataset', 'IdentitySampler',
           'SeededIndex', 'SeededSampler', 'UniquePersonBatchSampler', 'stack_pairs', 'transforms']
