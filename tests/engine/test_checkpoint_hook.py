"""Checkpoints that survive kills, full disks and other folders."""

import errno
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapper

from mmtbps.engine import checkpoint_hook
from mmtbps.engine.checkpoint_hook import DurableCheckpointHook, NoRoom, checkpoint_bytes
from mmtbps.fileio import DiskFull


class Run(SimpleNamespace):
    """A runner that writes as MMEngine's does, by the backend that the hook names."""

    def save_checkpoint(self, out_dir, filename, *_, backend_args=None, meta=None, **__):
        from mmengine.runner.checkpoint import save_checkpoint
        self.log.append(('write', filename, sorted(p.name for p in Path(out_dir).glob('*.pth'))))
        save_checkpoint(dict(state_dict=self.model.state_dict(), meta=meta),
                        f'{out_dir}/{filename}', backend_args=backend_args)


@pytest.fixture
def run(tmp_path):
    def build(folder='run', split='val', sha256='1', hub=None):
        (tmp_path / folder).mkdir(exist_ok=True)
        data = SimpleNamespace(metainfo=dict(split=split, ann_files={'reid_raw.json': sha256}))
        hub = MessageHub(f'{tmp_path}/{folder}/{split}/{sha256}') if hub is None else hub
        model = torch.nn.Linear(3, 2)
        return Run(work_dir=str(tmp_path / folder), model=model, epoch=0, iter=0,
                   optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=.1)),
                   message_hub=hub, logger=MMLogger.get_instance('checkpoints'), log=[],
                   val_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=data)))
    return build


def hook_of(run, **settings):
    hook = DurableCheckpointHook(**{'interval': 1, 'max_keep_ckpts': 2, 'save_best': 't2i/R1',
                                    'rule': 'greater', **settings})
    hook.before_train(run)
    return hook


def train(hook, run, scores):
    for score in scores:
        hook._save_checkpoint(run)
        run.epoch += 1
        hook.after_val_epoch(run, {hook.key_indicators[0]: score})


def names(folder):
    return sorted(path.name for path in Path(folder).glob('*'))


def test_the_newest_and_the_best_are_kept_and_nothing_goes_before_they_are_there(run):
    at = run()
    train(hook_of(at), at, [1., 3., 2., 5.])
    assert names(at.work_dir) == ['best_t2i_R1_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth',
                                  'last_checkpoint']
    there = {name: before for kind, name, before in at.log}
    assert {'epoch_1.pth', 'epoch_2.pth'} <= set(there['epoch_3.pth'])
    assert 'best_t2i_R1_epoch_2.pth' in there['best_t2i_R1_epoch_4.pth']


def test_a_full_disk_leaves_the_former_ones_and_no_torn_file(run, monkeypatch):
    at = run()
    hook = hook_of(at)
    train(hook, at, [1., 3.])
    before = {name: Path(at.work_dir, name).read_bytes() for name in names(at.work_dir)}

    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(DiskFull, match=r'epoch_3\.pth: the disk is full'):
        train(hook, at, [4.])
    monkeypatch.undo()
    assert {name: Path(at.work_dir, name).read_bytes() for name in names(at.work_dir)} == before


def test_a_disk_without_room_is_refused_before_the_first_step(run, monkeypatch):
    at = run()
    one = checkpoint_bytes(at.model)
    assert one == 3 * 8 * 4
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(checkpoint_hook.shutil, 'disk_usage', lambda _: usage(0, 0, 4 * one - 1))
    with pytest.raises(NoRoom, match='keeps up to 4 checkpoints of 0.0 MB'):
        hook_of(at)
    monkeypatch.setattr(checkpoint_hook.shutil, 'disk_usage', lambda _: usage(0, 0, 4 * one))
    hook_of(at)


def test_going_on_elsewhere_leaves_the_first_folder_as_it_is(run):
    first = run('A')
    train(hook_of(first), first, [4., 2.])
    before = {name: Path(first.work_dir, name).read_bytes() for name in names(first.work_dir)}
    second = run('B', hub=first.message_hub)
    second.epoch = 2
    hook = hook_of(second)
    assert names(second.work_dir) == ['best_t2i_R1_epoch_1.pth']
    train(hook, second, [3.])
    assert names(second.work_dir) == ['best_t2i_R1_epoch_1.pth', 'epoch_3.pth', 'last_checkpoint']
    train(hook, second, [5.])
    assert names(second.work_dir) == ['best_t2i_R1_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth',
                                      'last_checkpoint']
    assert {name: Path(first.work_dir, name).read_bytes()
            for name in names(first.work_dir)} == before


@pytest.mark.parametrize('other, metric', [
    (dict(), 't2i/R5'), (dict(split='test'), 't2i/R1'), (dict(sha256='2'), 't2i/R1')])
def test_a_best_score_counts_for_its_own_metric_and_set(run, other, metric):
    first = run('A')
    train(hook_of(first), first, [40.])
    second = run('B', hub=first.message_hub, **other)
    second.epoch = 1
    train(hook_of(second, save_best=metric), second, [30.])
    assert f'best_{metric.replace("/", "_")}_epoch_2.pth' in names(second.work_dir)
    assert 'best_t2i_R1_epoch_1.pth' in names(first.work_dir)


def test_a_best_checkpoint_that_is_gone_is_no_bar(run):
    first = run('A')
    train(hook_of(first), first, [40.])
    (Path(first.work_dir) / 'best_t2i_R1_epoch_1.pth').unlink()
    again = run('A', hub=first.message_hub)
    again.epoch = 1
    train(hook_of(again), again, [30.])
    assert 'best_t2i_R1_epoch_2.pth' in names(first.work_dir)


@pytest.mark.parametrize('killed_in, left', [
    ('_save_checkpoint_with_step', 'epoch_2.pth'), ('_save_best_checkpoint',
                                                    'best_t2i_R1_epoch_2.pth')])
def test_what_a_kill_kept_from_going_goes_when_the_run_goes_on(run, monkeypatch, killed_in, left):
    """Killed when the new ones are written and nothing is removed yet; others' files stay."""
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    at = run()
    hook = hook_of(at, max_keep_ckpts=1)
    train(hook, at, [1., 3.])
    folder, save = Path(at.work_dir), getattr(hook, killed_in)

    def save_and_die(*args, **kwargs):
        monkeypatch.setattr(checkpoint_hook.DurableFiles, 'remove', kill)
        save(*args, **kwargs)

    setattr(hook, killed_in, save_and_die)
    with pytest.raises(Killed):
        train(hook, at, [5.])
    monkeypatch.undo()
    assert left in names(folder)
    (folder / 'epoch_1.pth').touch()
    (folder / 'last_checkpoint').write_text('')
    expected = sorted({*names(folder), 'epoch_1.pth'} - {left})
    at.epoch, at.iter, at._load_from = 3, 12, str(folder / 'epoch_3.pth')
    hook_of(at, max_keep_ckpts=1)
    assert names(folder) == expected
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'epoch_3.pth')
