"""Proximity pairs by FLUX.2 [dev], the largest of these editors; 50 passes an image.

As `instruct_kontext`, one image at a time. Of what does not fit the GPU, `offload` leaves on it
only the part that computes. Its weights are not for commercial use.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_kontext import *

generation['editor'].update(
    pretrained='black-forest-labs/FLUX.2-dev', pipeline='Flux2Pipeline', offload='model')
generation['editor']['sampling'].update(steps=50, guidance=4.0)
generation['runner'].update(out_dir='work_dirs/instruct_flux2')
