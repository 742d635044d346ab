"""Proximity data generation: captions with one colour switched, images edited to match.

Importing the package registers its parts; nothing here imports diffusers before it is used.
"""

from .diffusion import finetune, inversion
from .editing import instruct, prompt_to_prompt, recolor, upscalers
from .planning import planner
from .quality import gates
from .runs import runner

__all__ = ['finetune', 'gates', 'instruct', 'inversion', 'planner', 'prompt_to_prompt', 'recolor',
           'runner', 'upscalers']
