"""Conversion of data sets: folders with annotations, parquet as `datasets` has it, tar shards."""

from .convert import ConversionReport, convert_data
from .layouts import LAYOUTS

__all__ = ['LAYOUTS', 'ConversionReport', 'convert_data']
