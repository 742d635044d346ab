"""Data sets of text-based person search, their samplers and transforms."""

from . import transforms
from .random_count_sampler import RandomCountBatchSampler
from .readers import (
    CUHKPEDES,
    HAMPEDES,
    ICFGPEDES,
    ITCPR,
    MALS,
    PAB,
    PABUCC,
    SYNTHPEDES,
    APTMFiles,
    DrawnPEDES,
    ImageTextPairs,
    LUPersonMLLM,
    LUPersonT,
    RaSaFiles,
    RSTPReid,
    TBPSCLIPFiles,
    UFine3C,
    UFine6926,
    WebPerson,
)
from .samplers import IdentitySampler, SeededIndex, SeededSampler, UniquePersonBatchSampler
from .tbps_dataset import TBPSDataset
from .transforms import stack_pairs
from .wrappers import ClassBalancedDataset, ConcatDataset, RepeatDataset

__all__ = ['APTMFiles', 'CUHKPEDES', 'ClassBalancedDataset', 'ConcatDataset', 'DrawnPEDES',
           'HAMPEDES', 'ICFGPEDES', 'ITCPR', 'ImageTextPairs', 'LUPersonMLLM', 'LUPersonT', 'MALS',
           'PAB', 'PABUCC', 'RSTPReid', 'RaSaFiles', 'RandomCountBatchSampler', 'RepeatDataset',
           'SYNTHPEDES', 'TBPSCLIPFiles', 'TBPSDataset', 'UFine3C', 'UFine6926', 'WebPerson',
           'IdentitySampler', 'SeededIndex', 'SeededSampler', 'UniquePersonBatchSampler',
           'stack_pairs', 'transforms']
