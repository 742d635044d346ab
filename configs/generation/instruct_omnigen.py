"""Proximity pairs by OmniGen, one transformer for text and image; 150 passes an image.

As `instruct_kontext`, one image at a time. Each step takes three passes: with image and text, with
the image alone, with neither.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_kontext import *

generation['editor'].update(
    pretrained='Shitao/OmniGen-v1-diffusers', pipeline='OmniGenPipeline',
    call=dict(img_guidance_scale=1.6))
generation['editor']['sampling'].update(steps=50, guidance=2.0)
generation['runner'].update(out_dir='work_dirs/instruct_omnigen')
