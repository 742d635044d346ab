"""CLIP ViT-B/16 fine-tuned on people of your own: data/mine/pairs.jsonl and data/mine/photos.

docs/tutorials/train_on_your_own_json.md goes through it.
"""

from mmengine.config import read_base

from mmtbps.datasets import TBPSDataset

with read_base():
    from .clip_b16_itc_cuhk import *

# A tenth of the people of train choose the best epoch; holdout=0 takes a split val of the file.
source = dict(type=TBPSDataset, data_root='data/mine', ann_file='pairs.jsonl',
              data_prefix=dict(img_path='photos'), holdout=0.1)
train_dataloader.update(batch_size=32)
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
train_cfg.update(max_epochs=20)
auto_scale_lr.update(base_batch_size=32)
