"""Proximity pairs by FLUX.2 [klein] 4B, distilled to 4 steps: 4 passes an image.

As `instruct_kontext`, one image at a time.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_kontext import *

generation['editor'].update(
    pretrained='black-forest-labs/FLUX.2-klein-4B', pipeline='Flux2KleinPipeline')
generation['editor']['sampling'].update(steps=4, guidance=1.0)
generation['runner'].update(out_dir='work_dirs/instruct_flux2_klein')
