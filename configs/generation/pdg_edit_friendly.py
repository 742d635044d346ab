"""Proximity pairs by Edit Friendly inversion, 128 passes of the UNet for an image.

The noise of each step is chosen so that sampling arrives at the image, and the edit draws with the
same noise. As in its paper 50 steps, of which the noisiest 36 % are left out: more of the person
stays, and a change that would need another shape is not made. Otherwise as `pdg_fast`.
"""

from mmengine.config import read_base

from mmtbps.generation import EditFriendlyInversion

with read_base():
    from .pdg_fast import *

generation['editor']['sampling'].update(
    steps=50, inversion=dict(type=EditFriendlyInversion, skip=0.36))
generation['runner'].update(out_dir='work_dirs/pdg_edit_friendly')
