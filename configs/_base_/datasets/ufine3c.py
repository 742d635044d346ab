"""UFine3C under data/UFine3C to test on; trained and chosen on UFine6926."""

from mmengine.config import read_base

from mmtbps.datasets import UFine3C

with read_base():
    from .ufine6926 import *

test_dataloader.dataset.update(type=UFine3C, data_root='data/UFine3C')
