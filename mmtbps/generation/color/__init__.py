"""Color of pixels and of words: color spaces, and votes for the basic colors."""

from .colorspace import lab_to_rgb, nearest_color, palette, rgb_to_lab
from .votes import band_of, color_votes, region_mask

__all__ = ['band_of', 'color_votes', 'lab_to_rgb', 'nearest_color', 'palette', 'region_mask',
           'rgb_to_lab']
