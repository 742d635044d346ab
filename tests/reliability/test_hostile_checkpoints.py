"""Hostile checkpoints: each is refused in one line, without code, waiting or much memory."""

import re
from types import SimpleNamespace

import hostile_checkpoints
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

from mmtbps.engine.readiness import stop_if_unready
from mmtbps.engine.run_folder import check_resumable
from mmtbps.engine.strict_load_hook import StrictLoadHook
from mmtbps.fileio import damaged_record, swollen_record
from mmtbps.models.converters import convert_checkpoint
from mmtbps.models.loading import load_strictly

pytestmark = pytest.mark.usefixtures('limited')


def load_from(path):
    """Begin a training from a checkpoint, as far as reading goes."""
    runner = SimpleNamespace(_train_loop=object(), _resume=False, _load_from=path,
                             model=nn.Linear(4, 1), logger=SimpleNamespace(info=print))
    stop_if_unready(Config(dict(model={}, load_from=path)))
    content = CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    StrictLoadHook().after_load_checkpoint(runner, content)


@pytest.mark.parametrize('name', hostile_checkpoints.FILES)
def test_a_hostile_checkpoint_is_refused_wherever_it_is_read(name, refusal, tmp_path):
    write, reason = hostile_checkpoints.FILES[name]
    path = tmp_path / name
    write(path)
    said = refusal(lambda: load_strictly(nn.Linear(4, 1), str(path)))
    assert re.search(reason, said), said
    for read in (load_from, check_resumable, lambda path: convert_checkpoint('timm', path),
                 lambda path: convert_checkpoint('openai_clip', path)):
        assert str(path).partition('\n')[0] in refusal(lambda read=read: read(str(path))) or (
            read is load_from)


def test_the_checkpoint_they_are_made_of_is_taken(tmp_path):
    torch.save(hostile_checkpoints.whole(), tmp_path / 'whole.pth')
    assert load_strictly(nn.Linear(4, 1), str(tmp_path / 'whole.pth')).loaded == 2


def test_the_flipped_bit_and_the_bomb_are_what_they_are_called(tmp_path):
    hostile_checkpoints.flip(tmp_path / 'a.pth')
    hostile_checkpoints.bomb(tmp_path / 'b.pth')
    assert damaged_record(tmp_path / 'a.pth') and not swollen_record(tmp_path / 'a.pth')
    assert swollen_record(tmp_path / 'b.pth') and (tmp_path / 'b.pth').stat().st_size < 10 << 20
