"""Short real runs."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

CONFIG = Path(__file__).resolve().parents[2] / 'configs/tbps/vit_bert_pdg_drawn.py'


@pytest.fixture(scope='module')
def short_config(micro_set, tmp_path_factory):
    """A function: the drawn config on tiny towers for 1 epoch of 4 steps, ``changes`` merged in."""

    def build(hooks=(), **changes):
        cfg = shrink(Config.fromfile(CONFIG), micro_set, tmp_path_factory.mktemp('run'))
        cfg.train_cfg.update(max_epochs=1, val_interval=2)
        cfg.train_dataloader.batch_size = 24
        cfg.custom_hooks += list(hooks)
        cfg.merge_from_dict(changes)
        return cfg

    return build


@pytest.fixture(scope='module')
def short_run(short_config):
    """A function: trains that config and returns the folder of logs and checkpoints."""

    def train(*args, **changes):
        cfg = short_config(*args, **changes)
        Runner.from_cfg(cfg).train()
        return Path(cfg.work_dir)

    return train
