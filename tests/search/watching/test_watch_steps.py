"""A watch from step to step: who is new, what repeats, and what a disk refuses."""

import errno
import sqlite3
import threading

import pytest
from fakes import ColorEncoder, paint
from watch_rig import RULES, lines_of, painted_gallery, wait_for

from mmtbps.errors import BadValue
from mmtbps.fileio import DiskFull
from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.indexing import IndexOptions
from mmtbps.search.watching import (
    FileReceiver,
    Outbox,
    OutboxUnusable,
    Rule,
    RuleJudge,
    StillSource,
    Watch,
    alarm_id,
)
from mmtbps.search.watching.alarms import Finding
from mmtbps.search.watching.marks import read_marks
from mmtbps.search.watching.repeats import Repeats
from mmtbps.search.watching.trials import rates_met, try_last


def start(root, rules=RULES, gallery=None, said=None):
    """A watch of `root/images`, as a new process has it."""
    gallery = gallery or open_gallery(root / 'people', ColorEncoder.fingerprint)
    notify = (said if said is not None else []).append
    source = StillSource(root / 'images', gallery, ColorEncoder(), notify,
                         options=IndexOptions(progress=False))
    return Watch(source, gallery, RuleJudge(rules, gallery, ColorEncoder()), Outbox(root / 'state'),
                 [FileReceiver(root / 'alarms.jsonl')], notify, pause=.02)


def raised(root):
    return [(line['rule'], line['picture'].rpartition('/')[2]) for line in lines_of(
        root / 'alarms.jsonl')]


def test_who_is_in_the_gallery_before_counts_as_looked_at(tmp_path):
    painted_gallery(tmp_path, 'red')
    start(tmp_path).run()
    assert raised(tmp_path) == []
    paint('red').save(tmp_path / 'images/new.png')
    paint('green').save(tmp_path / 'images/other.png')
    start(tmp_path).run()
    assert raised(tmp_path) == [('red', 'new.png')]
    start(tmp_path).run()
    assert raised(tmp_path) == [('red', 'new.png')]


def test_another_picture_under_an_old_name_is_somebody_new(tmp_path):
    painted_gallery(tmp_path)
    start(tmp_path).run()
    for color in ('red', 'green', 'blue'):
        paint(color, size=(8, 16 + len(color))).save(tmp_path / 'images/latest.png')
        start(tmp_path).run()
    assert raised(tmp_path) == [('red', 'latest.png'), ('blue', 'latest.png')]


def test_a_broken_picture_is_named_once_and_does_not_hold_others_up(tmp_path):
    painted_gallery(tmp_path)
    (tmp_path / 'images/broken.png').write_bytes(b'no picture')
    paint('red').save(tmp_path / 'images/good.png')
    said = []
    watch = start(tmp_path, said=said)
    watch.look()
    watch.look()
    watch.run()
    assert len([line for line in said if 'broken.png' in line]) == 1
    assert raised(tmp_path) == [('red', 'good.png')]


# ------------------------------------------------------------------ repeats
def found(rule, key, **known):
    return Finding(rule, GalleryEntry(key, f'{key}.jpg', **known), .9)


def keys(kept):
    return [each.entry.id for each in kept]


def test_a_track_has_one_alarm_a_rule_and_camera():
    red, blue = (Rule(name, name, 'min_score', 0.) for name in ('red', 'blue'))
    row = [found(red, 'a', track='t', camera='1'), found(red, 'b', track='t', camera='1'),
           found(blue, 'c', track='t', camera='1'), found(red, 'd', track='t', camera='2'),
           found(red, 'e'), found(red, 'f')]
    assert keys(Repeats().without(row, 0.)) == ['a', 'c', 'd', 'e', 'f']


def test_a_track_of_another_video_of_the_same_name_is_another():
    red = Rule('red', 'red', 'min_score', 0.)
    row = [found(red, 'a', track='v.mp4#1', frame=3, sha256='1'),
           found(red, 'b', track='v.mp4#1', frame=9, sha256='1'),
           found(red, 'c', track='v.mp4#1', frame=3, sha256='2')]
    assert keys(Repeats().without(row, 0.)) == ['a', 'c']


def test_a_cool_down_counts_by_the_time_of_the_people_in_either_direction():
    red = Rule('red', 'red', 'min_score', 0., cool_down=60.)
    row = [found(red, str(t), time=float(t)) for t in (100, 159, 160, 110, 40)]
    assert keys(Repeats().without(row, 1e9)) == ['100', '160', '40']


def test_a_video_without_a_date_has_a_clock_of_its_own():
    red = Rule('red', 'red', 'min_score', 0., cool_down=60.)
    row = [found(red, f'{name}{t}', frame=t, extra=dict(video_time=f'{t}.000'))
           for name, t in (('a', 1), ('a', 30), ('a', 70))]
    row = [each for each in row]
    moved = [Finding(red, GalleryEntry(each.entry.id, 'v.avi', frame=each.entry.frame,
                                       extra=each.entry.extra), .9) for each in row]
    assert keys(Repeats().without([*moved, found(red, 'now'), found(red, 'also now')], 5.)) == [
        'a1', 'a70', 'now']


def test_a_cool_down_survives_a_restart(tmp_path):
    painted_gallery(tmp_path)
    rules = [Rule('red', 'all in red', 'min_score', .95, cool_down=3600.)]
    for number in range(3):
        paint('red').save(tmp_path / f'images/{number}.png')
        start(tmp_path, rules).run()
    assert raised(tmp_path) == [('red', '0.png')]


# ------------------------------------------------------------------ disks
def test_what_the_disk_refuses_is_said_once_and_done_when_there_is_room(tmp_path, monkeypatch):
    painted_gallery(tmp_path)
    paint('red').save(tmp_path / 'images/new.png')
    tries, said, record = [], [], Outbox.record

    def full(self, entries, alarms=(), *others):
        if not alarms or len(tries) >= 3:
            return record(self, entries, alarms, *others)
        tries.append(alarms)
        raise DiskFull('the disk is full')

    monkeypatch.setattr(Outbox, 'record', full)
    start(tmp_path, [Rule('red', 'all in red', 'min_score', .95, cool_down=60.)], said=said).run()
    assert len(tries) == 3 and raised(tmp_path) == [('red', 'new.png')]
    assert said == ['the disk is full. It is tried again', 'it goes on']


def test_a_full_file_of_alarms_is_said_once_and_has_each_once_in_the_end(tmp_path, monkeypatch):
    painted_gallery(tmp_path)
    for number in range(3):
        paint('red').save(tmp_path / f'images/{number}.png')
    tries, said = [], []
    append = FileReceiver.send

    def full(self, alarm):
        tries.append(alarm.id)
        if len(tries) < 4:
            raise OSError(errno.ENOSPC, 'No space left on device')
        append(self, alarm)

    monkeypatch.setattr(FileReceiver, 'send', full)
    watch = start(tmp_path, said=said)
    runs = threading.Thread(target=watch.run)
    runs.start()
    runs.join(30)
    watch = start(tmp_path)
    watch.run()
    wait_for(lambda: not Outbox(tmp_path / 'state').waiting())
    assert raised(tmp_path) == [('red', f'{number}.png') for number in range(3)]
    assert len([line for line in said if 'No space' in line]) == 1


def test_sqlite_on_a_full_disk_is_a_full_disk(tmp_path):
    outbox = Outbox(tmp_path)
    outbox._file.execute('pragma max_page_count = 16')
    with pytest.raises(DiskFull, match='outbox.sqlite: the disk is full'):
        for number in range(2000):
            outbox.record([GalleryEntry(str(number) * 50, 'a.jpg')])
    outbox._file.execute('pragma max_page_count = 100000')
    before = len(outbox.seen())
    outbox.record([GalleryEntry('new', 'a.jpg')])
    assert 0 < before < 2000 and len(Outbox(tmp_path).seen()) == before + 1


def test_an_outbox_of_another_kind_is_refused(tmp_path):
    Outbox(tmp_path / 'a')._file.execute('pragma user_version = 9')
    with pytest.raises(BadValue, match='of version 9'):
        Outbox(tmp_path / 'a')
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b/outbox.sqlite').write_bytes(b'no data base' * 1000)
    with pytest.raises(BadValue, match='damaged, or no outbox'):
        Outbox(tmp_path / 'b')
    outbox = Outbox(tmp_path / 'c')
    other = sqlite3.connect(tmp_path / 'c/outbox.sqlite')
    other.execute('drop table waiting')
    with pytest.raises(OutboxUnusable, match='no such table'):
        outbox.waiting()


# ------------------------------------------------------------------ rates and trials
def test_the_rate_met_counts_who_was_judged_and_what_was_marked(tmp_path):
    painted_gallery(tmp_path)
    for number, color in enumerate(['red', 'red', 'blue', 'green']):
        paint(color).save(tmp_path / f'images/{number}.png')
    rules = [*RULES, Rule('here', 'all in red', 'min_score', 0., dict(camera='c1'))]
    start(tmp_path, rules).run()
    first, *_ = lines_of(tmp_path / 'alarms.jsonl')
    (tmp_path / 'false.txt').write_text(f'# looked at today\n{first["id"]}  # a post box\n\n')
    rates = {rate.rule: rate for rate in rates_met(Outbox(tmp_path / 'state'),
                                                   read_marks(tmp_path / 'false.txt'))}
    assert (rates['red'].people, rates['red'].alarms, rates['red'].false) == (4, 2, 1)
    assert rates['red'].rate == .25 and rates['red'].low < .25 < rates['red'].high
    assert (rates['blue'].alarms, rates['blue'].rate) == (1, 0.)
    assert (rates['here'].people, rates['here'].rate) == (0, None)
    with pytest.raises(BadValue, match="'none' is marked false, and no alarm"):
        rates_met(Outbox(tmp_path / 'state'), ['none'])
    (tmp_path / 'false.txt').write_text('one two\n')
    with pytest.raises(BadValue, match='line 1: one id'):
        read_marks(tmp_path / 'false.txt')


def test_a_trial_raises_what_a_watch_would_and_notes_nothing(tmp_path):
    gallery, _ = painted_gallery(tmp_path, 'red', 'green', 'blue', 'red')
    judge = RuleJudge(RULES, gallery, ColorEncoder())
    assert [each.entry.path for each in try_last(gallery, judge, 3, 0.)] == [
        '02-blue.png', '03-red.png']
    cool = RuleJudge([Rule('any', 'all in red', 'min_score', -1., cool_down=9.)], gallery,
                 ColorEncoder())
    assert len(try_last(gallery, cool, 4, 0.)) == 1
    with pytest.raises(BadValue, match='from 1'):
        try_last(gallery, judge, 0, 0.)


def test_an_alarm_has_one_id_for_rule_and_picture():
    rule, entry = Rule('a', 'b', 'min_score', 0.), GalleryEntry('1', 'a.jpg', sha256='x')
    ids = {alarm_id(*pair) for pair in (
        (rule, entry), (Rule('a', 'c', 'min_score', 0.), entry),
        (Rule('b', 'b', 'min_score', 0.), entry), (rule, GalleryEntry('2', 'a.jpg', sha256='x')),
        (rule, GalleryEntry('1', 'a.jpg', sha256='y')))}
    assert len(ids) == 5
    assert alarm_id(Rule('a', 'b', 'min_score', .5, cool_down=9.), entry) in ids
