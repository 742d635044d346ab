"""Benchmarks on drawn people, whose truth is exact: attribute binding and short sentences."""

from .binding import build_binding
from .pictures import DrawnPicture, read_pictures
from .short_sentences import build_short_sentences
from .write import write_benchmarks

__all__ = ['DrawnPicture', 'build_binding', 'build_short_sentences', 'read_pictures',
           'write_benchmarks']
