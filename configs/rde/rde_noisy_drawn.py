"""RDE on DrawnPEDES of which half of the captions belong to other pictures."""

from mmengine.config import read_base

with read_base():
    from .rde_drawn import *

train_dataloader.dataset.update(noise_rate=0.5)
# The mixture as published for more than 40 % of noise.
custom_hooks[-1].update(max_iterations=100, tolerance=1e-4, floor=1e-6)
