"""Proximity pairs by Qwen-Image-Edit, told in a sentence what to change; 100 passes an image.

As `instruct_kontext`; guidance asks for two passes in each of 50 steps.
"""

from mmengine.config import read_base

with read_base():
    from .instruct_kontext import *

generation['editor'].update(
    pretrained='Qwen/Qwen-Image-Edit', pipeline='QwenImageEditPipeline')
generation['editor']['sampling'].update(steps=50, guidance=4.0)
generation['runner'].update(out_dir='work_dirs/instruct_qwen')
