"""Proximity pairs by InstructPix2Pix, the smallest of these editors; 60 passes an image.

As `instruct_kontext` at 640 x 256, in batches. Each of 20 steps takes three passes: with image and
text, with the image alone, with neither.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_kontext import *

generation['editor'].update(
    pretrained='timbrooks/instruct-pix2pix', pipeline='StableDiffusionInstructPix2PixPipeline',
    instruction='make the {noun} {new_color}', call=dict(image_guidance_scale=1.5), batch_size=16)
generation['editor']['sampling'].update(size=(640, 256), steps=20, guidance=7.5)
generation['runner'].update(out_dir='work_dirs/instruct_pix2pix')
