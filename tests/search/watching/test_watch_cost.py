"""Cost of a look: what is new is read from the gallery and the folder, and not all of it."""

from collections import Counter

import pytest
from fakes import ColorEncoder, paint
from watch_rig import RULES, painted_gallery

from mmtbps.search.indexing import IndexOptions, index
from mmtbps.search.media import images as media_images
from mmtbps.search.watching import FolderSource, Outbox, RuleJudge, Watch

pytest.importorskip('watchdog')
PEOPLE, NEW = 30, 8


@pytest.fixture
def counted(tmp_path, monkeypatch, request):
    """A watch of a folder of people, whose reads of gallery and files are counted."""
    gallery, images = painted_gallery(tmp_path, *['green'] * PEOPLE)
    if getattr(request, 'param', '') == 'lance':
        pytest.importorskip('lancedb')
        from indexing_rig import index as fill

        from mmtbps.search.galleries import open_gallery
        gallery = open_gallery(tmp_path / 'people.lance', ColorEncoder.fingerprint)
        fill(images, gallery)
    counts, kind = Counter(), type(gallery)
    listed, changes, refusal = kind._entries, kind._changes, media_images._refusal

    def entries(self, conditions):
        found = list(listed(self, conditions))
        counts['lists'] += not conditions
        counts['read'] += len(found)
        return iter(found)

    def since(self, mark):
        found, mark = changes(self, mark)
        counts['read'] += len(found)
        return found, mark

    def looked_at(path):
        counts['files'] += 1
        return refusal(path)

    monkeypatch.setattr(kind, '_entries', entries)
    monkeypatch.setattr(kind, '_changes', since)
    monkeypatch.setattr(media_images, '_refusal', looked_at)
    source = FolderSource(images, gallery, ColorEncoder(), print, settle=0.,
                          options=IndexOptions(progress=False))
    watch = Watch(source, gallery, RuleJudge(RULES, gallery, ColorEncoder()),
                  Outbox(tmp_path / 'state'), [], print)
    return watch, source, images, counts


def come(source, images, number):
    file = images / f'new-{number}.png'
    paint('red', size=(8, 16 + number)).save(file)
    source._touch(file, False)


@pytest.mark.parametrize('counted', ['memory', 'lance'], indirect=True)
def test_a_look_reads_who_is_new_and_lists_nobody(counted):
    watch, source, images, counts = counted
    watch.look()
    assert counts['files'] >= PEOPLE and counts['read'] >= PEOPLE
    counts.clear()
    for number in range(NEW):
        come(source, images, number)
        watch.look()
    assert watch.gallery.count() == PEOPLE + NEW and len(watch.outbox.alarms()) == NEW
    watch.look()
    # Files twice: once whether there are any, once to take them.
    assert (counts['lists'], counts['read'], counts['files']) == (0, NEW, 2 * NEW)
    counts.clear()
    for _ in range(5):
        watch.look()
    assert not +counts


def test_what_comes_by_another_program_is_judged_and_a_known_file_not_again(counted, tmp_path):
    from indexing_rig import index as by_another
    watch, source, images, counts = counted
    watch.look()
    come(source, images, 0)
    by_another(images, watch.gallery)
    counts.clear()
    watch.look()
    # In memory, once for the keys of entries that this process has not stored.
    assert len(watch.outbox.alarms()) == 1 and counts['lists'] <= 1
    paint('blue', size=(9, 20)).save(images / 'new-0.png')  # another picture of the same name
    source._touch(images / 'new-0.png', False)
    watch.look()
    assert [alarm.rule for alarm in watch.outbox.alarms()] == ['red', 'blue']
    assert watch.gallery.count() == PEOPLE + 1


def test_after_a_look_that_failed_all_is_looked_at(counted, monkeypatch):
    watch, source, images, counts = counted
    watch.look()
    come(source, images, 0)
    sound = index.index_people

    def full(*args, **named):
        raise OSError('no space')

    monkeypatch.setattr('mmtbps.search.watching.sources.index_people', full)
    with pytest.raises(OSError, match='no space'):
        watch.look()
    monkeypatch.setattr('mmtbps.search.watching.sources.index_people', sound)
    counts.clear()
    watch.look()
    assert counts['files'] > PEOPLE and len(watch.outbox.alarms()) == 1


def test_who_is_removed_before_being_judged_does_not_hold_others_up(counted, monkeypatch):
    watch, source, images, _ = counted
    watch.look()
    for number in range(2):
        come(source, images, number)
    source.index()
    first, _ = watch.fresh()
    watch.gallery.delete(ids=[first.id])
    monkeypatch.setattr(source, 'looks', lambda stop: iter([None]))
    watch.source.index = lambda: None
    watch.run()
    assert len(watch.outbox.alarms()) == 1


def test_a_folder_that_comes_whole_is_looked_through(counted):
    watch, source, images, _ = counted
    watch.look()
    (images / 'deep').mkdir()
    paint('red').save(images / 'deep/untold.png')
    watch.look()
    assert not watch.outbox.alarms()
    source._touch(images / 'deep', True, is_new=False)
    watch.look()
    assert not watch.outbox.alarms()
    source._touch(images / 'deep', True)
    watch.look()
    assert len(watch.outbox.alarms()) == 1
