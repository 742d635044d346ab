"""The work folder of a run: the checkpoint to go on from, other runs, what moves away."""

import pytest
import torch
from mmengine.config import Config

from mmtbps.engine.run_folder import (
    FolderTaken,
    NotResumable,
    alone_in,
    choose_start,
    list_checkpoints,
    move_away,
    refuse_taken,
)
from mmtbps.errors import MissingFile
from mmtbps.fileio import LockTaken


def write(path, **without):
    parts = dict(meta=dict(epoch=1), optimizer=dict(), message_hub=dict(),
                 state_dict=dict(weight=torch.ones(100)))
    torch.save({key: value for key, value in parts.items() if key not in without}, path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints of a run, and a best one."""
    for number in (1, 2, 10):
        write(tmp_path / f'epoch_{number}.pth')
    write(tmp_path / 'best_t2i_R1_epoch_2.pth', optimizer=None)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_10.pth'))
    return tmp_path


def config(folder, **settings):
    return Config(dict(work_dir=str(folder), **settings))


def test_the_newest_is_taken_by_number_not_by_letters(folder):
    start = choose_start(config(folder, load_from='other.pth'), 'auto')
    assert start.checkpoint == str(folder / 'epoch_10.pth') and start.resume
    assert start.said == f'This run goes on from {folder / "epoch_10.pth"}'


def test_a_pointer_names_a_file_of_this_folder_whatever_path_it_holds(folder, tmp_path_factory):
    """A run that resumed from epoch 1 wrote epoch 2 last; the folder is a copy of another one."""
    (folder / 'last_checkpoint').write_text('/long/gone/epoch_2.pth')
    assert [path.name for path in list_checkpoints(folder)] == [
        'epoch_2.pth', 'epoch_10.pth', 'epoch_1.pth']
    (folder / 'last_checkpoint').write_text('C:\\runs\\epoch_1.pth\n')
    assert list_checkpoints(folder)[0].name == 'epoch_1.pth'
    (folder / 'last_checkpoint').write_text('')  # killed while it was written
    assert list_checkpoints(folder)[0].name == 'epoch_10.pth'


@pytest.mark.parametrize('damage, reason', [
    (lambda path: path.write_bytes(b''), 'empty or cut short'),
    (lambda path: path.write_bytes(path.read_bytes()[:-30]), 'cut short or damaged'),
    (lambda path: path.write_text('a web page'), 'no checkpoint, or damaged|cut short'),
    (lambda path: write(path, optimizer=None), 'not the state of a run')])
def test_a_broken_one_is_left_out_and_named(folder, damage, reason):
    damage(folder / 'epoch_10.pth')
    start = choose_start(config(folder), 'auto')
    assert start.checkpoint == str(folder / 'epoch_2.pth')
    assert 'left out: epoch_10.pth' in start.said
    with pytest.raises(NotResumable, match=f'epoch_10.pth.*({reason})'):
        choose_start(config(folder), str(folder / 'epoch_10.pth'))
    for number in (1, 2):
        damage(folder / f'epoch_{number}.pth')
    with pytest.raises(NotResumable, match=r'no checkpoint is whole \(epoch_10.*epoch_2.*epoch_1'):
        choose_start(config(folder), 'auto')


def test_weights_only_are_refused_with_the_cure(folder):
    with pytest.raises(NotResumable, match=r'best_t2i_R1_epoch_2.*load_from='):
        choose_start(config(folder), str(folder / 'best_t2i_R1_epoch_2.pth'))
    for path in folder.glob('epoch_*'):
        path.unlink()
    with pytest.raises(NotResumable, match=r'best_t2i_R1_epoch_2.*load_from'):
        choose_start(config(folder), 'auto')
    with pytest.raises(MissingFile, match=r'epoch_7\.pth: no such checkpoint'):
        choose_start(config(folder), str(folder / 'epoch_7.pth'))


def test_an_empty_folder_begins_from_load_from_also_with_resume(tmp_path):
    start = choose_start(config(tmp_path / 'new', load_from='other.pth'), 'auto')
    assert (start.checkpoint, start.resume) == ('other.pth', False)
    assert 'no checkpoint to resume from: a new run from the weights of other.pth' in start.said
    assert choose_start(config(tmp_path), 'auto').said.endswith('resume from: a new run')
    assert choose_start(config(tmp_path)).said == 'a new run'


def test_a_folder_of_another_run_is_refused(folder):
    with pytest.raises(FolderTaken, match='holds 4 checkpoints of a run') as caught:
        refuse_taken(folder)
    assert caught.value.remedy.action == 'begin_run'
    refuse_taken(folder / 'new')
    (folder / 'logs').mkdir()
    refuse_taken(folder / 'logs')


def test_what_moves_away_is_all_there_and_earlier_ones_stay(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    first = move_away(folder)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before
    assert [path.name for path in folder.iterdir()] == [first.name]
    assert move_away(folder) is None and move_away(folder / 'missing') is None
    write(folder / 'epoch_1.pth')
    second = move_away(folder)
    assert second != first and [path.name for path in second.iterdir()] == ['epoch_1.pth']


def test_a_run_of_another_folder_does_not_go_on_among_checkpoints(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    foreign = write(other / 'epoch_1.pth')
    with pytest.raises(FolderTaken, match='holds 4 checkpoints of a run'):
        refuse_taken(folder, foreign)
    refuse_taken(folder, folder / 'epoch_1.pth')
    refuse_taken(other, f'{other}/../{other.name}/epoch_1.pth')
    refuse_taken(other.parent / 'nothing', foreign)


def test_one_run_at_a_time_is_at_work_in_a_folder(tmp_path):
    folder = tmp_path / 'new/run'
    with alone_in(folder):
        with pytest.raises(LockTaken, match='new/run: another process is at work here'):
            with alone_in(folder, patience=.3):
                pass
        assert [*folder.iterdir()] == []
    with alone_in(folder):
        pass
