"""Pruning: what is gone goes, and nothing that may be there still."""

import json
import os
import shutil
from pathlib import Path

import pytest
from fakes import paint
from indexing_rig import index, paths

from mmtbps.search.indexing.metadata import Metadata


def test_only_pruning_removes_what_is_gone(crops, gallery):
    index(crops, gallery)
    (crops / 'red.png').unlink()
    (crops / 'c2/black.png').unlink()
    assert index(crops, gallery).removed == 0 and gallery.count() == 6
    # Of a sub-folder only its own.
    assert index(crops / 'c2', gallery, prune=True).removed == 1
    assert paths(gallery) == ['blue.png', 'c2/green.png', 'c2/yellow.png', 'red-blue.png',
                              'red.png']
    assert index(crops, gallery, prune=True).removed == 1 and 'red.png' not in paths(gallery)


def test_a_folder_without_images_is_an_error_and_prunes_nothing(crops, gallery):
    index(crops, gallery)
    shutil.rmtree(crops)
    crops.mkdir()
    with pytest.raises(ValueError, match='no file to index'):
        index(crops, gallery, prune=True)
    assert gallery.count() == 6


def test_a_file_that_broke_keeps_its_entry(crops, gallery):
    index(crops, gallery)
    (crops / 'red.png').write_bytes(b'broken')
    assert len(index(crops, gallery, prune=True).skipped) == 1 and 'red.png' in paths(gallery)


def test_a_shard_prunes_its_own_files_only(crops, gallery):
    index(crops, gallery)
    kept, *gone = sorted(crops.rglob('*.png'))
    for path in gone:
        path.unlink()
    removed = [index(crops, gallery, shard=(part, 2), prune=True, prune_most=True).removed
               for part in range(2)]
    assert sum(removed) == 5 and min(removed) > 0
    assert paths(gallery) == [kept.relative_to(crops).as_posix()]


@pytest.fixture
def unlisted(crops, monkeypatch):
    """The crops with a folder that the system refuses to list."""
    listed = os.scandir

    def scandir(path='.'):
        if Path(path).name == 'c2':
            raise PermissionError(13, 'Permission denied', str(path))
        return listed(path)

    return lambda: monkeypatch.setattr(os, 'scandir', scandir)


def test_a_folder_that_cannot_be_listed_is_named_and_keeps_its_people(crops, gallery, unlisted,
                                                                      tmp_path):
    index(crops, gallery)
    (crops / 'red.png').unlink()
    unlisted()
    log = tmp_path / 'log.jsonl'
    report = index(crops, gallery, prune=True, log=log,
                   metadata={'c2/green.png': Metadata(camera='c9')})
    assert report.skipped == [('c2', 'cannot be listed (Permission denied)')]
    assert json.loads(log.read_text())['path'] == 'c2'
    assert (report.removed, report.unchanged, report.unknown) == (1, 2, [])
    assert paths(gallery) == ['blue.png', 'c2/black.png', 'c2/green.png', 'c2/yellow.png',
                              'red-blue.png']
    with pytest.raises(ValueError, match='c2: cannot be listed'):
        index(crops / 'c2', gallery, prune=True)


def test_what_is_refused_is_not_gone(crops, gallery, tmp_path):
    index(crops, gallery)
    (crops / 'c2').rename(tmp_path / 'c2')
    (crops / 'c2').symlink_to(tmp_path / 'c2')
    report = index(crops, gallery, prune=True)
    assert (report.removed, [path for path, _ in report.skipped]) == (0, ['c2'])


def test_a_prune_of_more_than_half_asks(crops, gallery):
    index(crops, gallery)
    for name in ('red', 'blue', 'c2/green', 'c2/black'):
        (crops / f'{name}.png').unlink()
    paint('white').save(crops / 'white.png')
    with pytest.raises(ValueError, match='4 of the 6 files .* are gone, such as') as refused:
        index(crops, gallery, prune=True)
    assert refused.value.remedy.action == 'prune_most' and gallery.count() == 6
    assert index(crops, gallery, prune=True, prune_most=True).removed == 4
    assert paths(gallery) == ['c2/yellow.png', 'red-blue.png', 'white.png']
