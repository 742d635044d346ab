"""The published recipe: null-text inversion, 50 steps at 512 x 512, the new colour times six.

One image of each person. Costs up to 850 forward and 500 backward passes of the UNet for an image,
where `pdg_fast` takes 80 forward. Crops are enlarged to 640 x 256 without the black border that
filled them up to a square.
"""

from mmengine.config import read_base

from mmtbps.generation import NullTextInversion

with read_base():
    from .pdg_fast import *

generation['planner'].update(mode='paper', images_per_person=1)
generation['upscaler'].update(steps=100, eta=1.0)
generation['editor'].update(batch_size=4, weights=dict(dtype='fp32'))
generation['editor']['sampling'].update(
    size=(512, 512), steps=50, guidance=7.5,
    inversion=dict(type=NullTextInversion, inner_steps=10, learning_rate=1e-2))
generation['editor']['attention'].update(reweight=6.0)
generation['runner'].update(out_dir='work_dirs/pdg_official')
