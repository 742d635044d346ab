"""Proximity pairs by InstructPix2Pix with Stable Diffusion XL; 90 passes an image.

As `instruct_pix2pix`, at the pixels of 768 x 768.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_pix2pix import *

generation['editor'].update(
    pretrained='diffusers/sdxl-instructpix2pix-768',
    pipeline='StableDiffusionXLInstructPix2PixPipeline', batch_size=4)
generation['editor']['sampling'].update(size=(1200, 480), steps=30, guidance=3.0)
generation['runner'].update(out_dir='work_dirs/instruct_pix2pix_xl')
