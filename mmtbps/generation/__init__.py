"""Proximity data generation: captions with one colour switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers before it is used.
"""

from .diffusion.latent_diffusion import finetune, inversion
from .editing import instruct, recolor, upscalers
from .editing import prompt_to_prompt as editors
from .planning import planner
from .quality import gates
from .runs import runner

__all__ = ['editors', 'finetune', 'gates', 'instruct', 'inversion', 'planner', 'recolor', 'runner',
           'upscalers']
