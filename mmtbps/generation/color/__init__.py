"""Colours of pixels: CIE Lab, the palette of basic colours, and votes for them."""

from .change import change_mask, color_change, grow
from .colorspace import into_gamut, lab_to_rgb, linear_to_srgb, palette, rgb_to_lab, srgb_to_linear
from .votes import BANDS, band_of, color_votes, region_mask, shaded_palette

__all__ = ['BANDS', 'band_of', 'change_mask', 'color_change', 'color_votes', 'grow', 'into_gamut',
           'lab_to_rgb', 'linear_to_srgb', 'palette', 'region_mask', 'rgb_to_lab', 'shaded_palette',
           'srgb_to_linear']
