"""Converters of foreign checkpoints, one file a make."""

from .augreg import vit_from_augreg
from .base import Conversion
from .ctlg import retriever_from_ctlg
from .timm import vit_from_timm

__all__ = ['Conversion', 'retriever_from_ctlg', 'vit_from_augreg', 'vit_from_timm']
