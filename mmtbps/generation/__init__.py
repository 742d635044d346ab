"""Proximity data generation: captions with one colour switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers before it is used.
"""

from . import editors, gates, instruct, planner, recolor, runner, upscalers
from .diffusion.latent_diffusion import finetune, inversion

__all__ = ['editors', 'finetune', 'gates', 'instruct', 'inversion', 'planner', 'recolor', 'runner',
           'upscalers']
