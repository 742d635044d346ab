"""Proximity pairs by Qwen-Image-Edit-2509 (Plus); 80 passes an image.

As `instruct_qwen`, with the successor, which takes one image at a time.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_qwen import *

generation['editor'].update(
    pretrained='Qwen/Qwen-Image-Edit-2509', pipeline='QwenImageEditPlusPipeline')
generation['editor']['sampling'].update(steps=40)
generation['runner'].update(out_dir='work_dirs/instruct_qwen_plus')
