"""Training of the toy diffusion model of drawn people that ships with mmtbps."""

from .data import ToyPairs, load_pairs
from .measure import color_share, draw_samples
from .training import train_toy

__all__ = ['ToyPairs', 'color_share', 'draw_samples', 'load_pairs', 'train_toy']
