"""Converters of foreign checkpoints, one file a make."""

from .augreg import vit_from_augreg
from .base import Conversion, ConversionOptions
from .ctlg import retriever_from_ctlg
from .irra import read_training_config
from .kinds import KINDS, Kind, convert_checkpoint
from .source import Source, read_source
from .timm import vit_from_timm

__all__ = ['KINDS', 'Conversion', 'ConversionOptions', 'Kind', 'Source', 'convert_checkpoint',
           'read_source', 'read_training_config', 'retriever_from_ctlg', 'vit_from_augreg',
           'vit_from_timm']
