"""A folder that is watched, by events or by polling: what comes is looked at when it is settled."""

import threading
import time

import pytest
from fakes import ColorEncoder, paint
from watch_rig import RULES, lines_of, painted_gallery, wait_for

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.indexing import IndexOptions
from mmtbps.search.watching import FileReceiver, FolderSource, Outbox, RuleJudge, StillSource, Watch

pytest.importorskip('watchdog')


def source_of(tmp_path, **options):
    gallery, images = painted_gallery(tmp_path)
    return FolderSource(images, gallery, ColorEncoder(), print,
                        options=IndexOptions(progress=False), **options), gallery, images


@pytest.fixture
def watched(tmp_path, request):
    """A watch in a thread, which ends with the test."""
    source, gallery, images = source_of(tmp_path, settle=.2, **request.param)
    watch = Watch(source, gallery, RuleJudge(RULES, gallery, ColorEncoder()),
                  Outbox(tmp_path / 'state'), [FileReceiver(tmp_path / 'alarms.jsonl')], print)
    watch.looks = []
    look = watch.look
    watch.look = lambda: (watch.looks.append(1), look())
    thread = threading.Thread(target=watch.run)
    thread.start()
    wait_for(lambda: watch.looks)
    yield watch, images
    watch.stop()
    thread.join(20)
    assert not thread.is_alive()


def names(tmp_path):
    return [line['picture'].rpartition('/')[2] for line in lines_of(tmp_path / 'alarms.jsonl')]


@pytest.mark.parametrize('watched', [{}, dict(poll=.1)], indirect=True, ids=['events', 'polled'])
def test_pictures_that_come_raise_alarms_also_in_new_folders(tmp_path, watched):
    _, images = watched
    paint('red').save(images / 'a [1].png')
    wait_for(lambda: names(tmp_path) == ['a [1].png'])
    (images / 'deeper').mkdir()
    paint('green').save(images / 'deeper/b.png')
    paint('blue').save(images / 'deeper/c.png')
    wait_for(lambda: names(tmp_path) == ['a [1].png', 'c.png'])


@pytest.mark.parametrize('watched', [{}], indirect=True)
def test_looking_at_a_folder_is_no_reason_to_look_again(tmp_path, watched):
    watch, images = watched
    paint('red').save(images / 'a.png')
    wait_for(lambda: names(tmp_path) == ['a.png'])
    looks = len(watch.looks)
    time.sleep(1.)
    assert len(watch.looks) <= looks + 1


def test_a_file_that_is_still_written_is_left_to_the_next_look(tmp_path):
    source, gallery, images = source_of(tmp_path, settle=30.)
    for name in ('old.png', 'being [w]ritten.png'):
        paint('red').save(images / name)
    source._touch(images / 'being [w]ritten.png', False)
    source._unsettled = source._find_unsettled()
    source.index()
    assert [entry.path for entry in gallery.entries()] == ['old.png']
    source._settle = 0.
    source._unsettled = source._find_unsettled()
    source.index()
    assert len(list(gallery.entries())) == 2


def test_an_empty_folder_and_one_of_other_files_are_waited_for(tmp_path):
    source, gallery, images = source_of(tmp_path)
    source.index()
    (images / 'notes.txt').write_text('none')
    source.index()
    assert gallery.count() == 0


def test_what_cannot_be_watched_is_refused(tmp_path):
    gallery, images = painted_gallery(tmp_path)
    paint('red').save(images / 'a.png')
    with pytest.raises(BadValue, match='no folder'):
        FolderSource(images / 'a.png', gallery, ColorEncoder(), print)
    with pytest.raises(MissingFile, match='no such file or folder'):
        StillSource(images / 'none', gallery, ColorEncoder(), print)
    for wrong in (dict(poll=0), dict(settle=-1.), dict(poll=float('nan'))):
        with pytest.raises(BadValue, match='--settle and --poll'):
            FolderSource(images, gallery, ColorEncoder(), print, **wrong)
