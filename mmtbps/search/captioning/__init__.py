"""Captions in the features of a gallery, written by a model or read of a file."""

from .caption_file import CaptionFile, read_caption_file
from .factory import open_captions
from .fusion import check_caption_weight, mix_captions
from .run import CaptionOptions, CaptionRun, with_captions
from .sources import CaptionModel, CaptionSource, NoCaption

__all__ = ['CaptionFile', 'CaptionModel', 'CaptionOptions', 'CaptionRun', 'CaptionSource',
           'NoCaption', 'check_caption_weight', 'mix_captions', 'open_captions',
           'read_caption_file', 'with_captions']
