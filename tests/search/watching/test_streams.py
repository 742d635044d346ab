"""A camera's stream as a source: one picture a track, nobody lost, and no password told."""

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import ColorEncoder
from PIL import Image
from videos import ColorDetector, draw, write_video
from watch_rig import lines_of, wait_for

from mmtbps.errors import BadValue
from mmtbps.fileio import DiskFull
from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.media.base import Tracker
from mmtbps.search.media.live import LiveFrame, StreamLost, live_frames
from mmtbps.search.watching import FileReceiver, Outbox, Rule, RuleJudge, Watch
from mmtbps.search.watching.stream import EarlyLook, StreamSource, stream_address

RULES = [Rule('red', 'all in red', 'min_score', .9)]


class ByColor(Tracker):
    """Each box that overlaps the one before is the same person; one that is gone has ended."""

    every = .1

    def __init__(self):
        self.start()

    @property
    def open(self):
        return set(self.boxes)

    def start(self):
        self.boxes, self.numbers = {}, itertools.count()

    def update(self, people, time):
        boxes = {}
        for person in people:
            left, _, right, _ = person.box
            number = next((number for number, (start, _, end, _) in self.boxes.items()
                           if left < end and start < right), None)
            boxes[next(self.numbers) if number is None else number] = person.box
        self.boxes = boxes
        return list(boxes)


def walk(color, frames, top=10):
    return [draw((color, 5 + 4 * step, top, 25 + 4 * step, 60)) for step in range(frames)]


def live(*sessions):
    """Streams one behind the other, ten frames a second; the last one ends the watch."""
    left = list(sessions)

    def frames(stop):
        if not left:
            stop.set()
            return
        for number, pixels in enumerate(left.pop(0)):
            yield LiveFrame(Image.fromarray(pixels), time.time() + number / 10)
    return frames


def stream(root, frames, outbox=None, **options):
    gallery = open_gallery(root / 'people', ColorEncoder.fingerprint)
    said = []
    (root / 'images').mkdir(exist_ok=True)
    outbox = outbox or Outbox(root / 'state')
    source = StreamSource(frames, 'back door', root / 'images', gallery, ColorEncoder(), outbox,
                          ColorDetector(), ByColor(), said.append, pause=.01, **options)
    return source, gallery, outbox, said


def watch(root, frames, **options):
    source, gallery, outbox, said = stream(root, frames, **options)
    Watch(source, gallery, RuleJudge(RULES, gallery, ColorEncoder()), outbox,
          [FileReceiver(root / 'alarms.jsonl')], said.append).run()
    return gallery, said


def test_who_walks_by_is_one_entry_with_camera_time_and_picture(tmp_path):
    empty = draw()
    gallery, said = watch(tmp_path, live([*walk('red', 8), empty, *walk('blue', 8), empty]))
    entries = sorted(gallery.entries(), key=lambda entry: entry.time)
    assert [entry.camera for entry in entries] == ['back door', 'back door']
    assert len({entry.track for entry in entries}) == 2
    alarm, = lines_of(tmp_path / 'alarms.jsonl')
    assert alarm['rule'] == 'red' and alarm['entry'] == entries[0].id
    with Image.open(alarm['picture']) as picture:
        assert np.asarray(picture).reshape(-1, 3).mean(0).argmax() == 0
    assert Path(alarm['picture']).parent == tmp_path / 'images/.watched/back_door'
    assert read_provenance(gallery.uri).images == str(tmp_path / 'images')
    assert said == ['back door: the stream has ended. It is opened again']


def test_a_stream_that_is_lost_is_opened_again_with_tracks_of_its_own(tmp_path):
    gallery, said = watch(tmp_path, live(walk('red', 6), walk('red', 6), walk('red', 6)))
    assert gallery.count() == 3 and len(lines_of(tmp_path / 'alarms.jsonl')) == 3
    assert said.count('back door: the stream is back') == 2


def test_who_stays_is_seen_before_the_track_ends_and_raises_one_alarm(tmp_path):
    moments = []

    def frames(stop):
        begin = time.time()
        for number in range(50):
            moments.append(len(alarms()))
            yield LiveFrame(Image.fromarray(walk('red', 1)[0]), begin + number / 10)
        stop.set()

    def alarms():
        file = tmp_path / 'alarms.jsonl'
        return file.read_text().splitlines() if file.exists() else []

    source, gallery, outbox, said = stream(tmp_path, frames, early=1.)
    running = Watch(source, gallery, RuleJudge(RULES, gallery, ColorEncoder()), outbox,
                    [FileReceiver(tmp_path / 'alarms.jsonl')], said.append)
    look = running.look

    def look_and_wait():
        look()
        wait_for(lambda: not outbox.waiting())
    running.look = look_and_wait
    running.run()
    assert gallery.count() == 2 and len(alarms()) == 1
    assert 0 < sum(moments) and moments.index(1) < 15


def test_an_early_look_tells_of_a_track_once():
    tracker = EarlyLook(ByColor(), after=.25)
    boxes = ColorDetector()([Image.fromarray(walk('red', 1)[0])])[0]
    seen = []
    for step in range(8):
        assert tracker.update(boxes, step / 10) == [0]
        seen.append(tracker.open)
    assert seen == [{0}] * 3 + [set()] + [{0}] * 4
    tracker.update([], .9)
    assert tracker.open == set()


def test_who_was_kept_and_not_indexed_is_indexed_at_the_next_start(tmp_path):
    source, gallery, outbox, _ = stream(tmp_path, live(walk('red', 6)))
    looks = source.looks(threading.Event())
    next(looks)
    next(looks)  # kept, and the process is killed here
    assert len(outbox.captured()) == 1 and gallery.count() == 0
    watch(tmp_path, live([draw()]))
    assert len(lines_of(tmp_path / 'alarms.jsonl')) == 1
    assert not Outbox(tmp_path / 'state').captured()


def test_a_disk_that_is_full_for_a_while_loses_nobody_who_was_followed(tmp_path, monkeypatch):
    keep, tries = StreamSource.keep, []

    def full(self, *person):
        tries.append(person)
        if len(tries) < 4:
            raise DiskFull('the disk is full')
        keep(self, *person)

    monkeypatch.setattr(StreamSource, 'keep', full)
    gallery, said = watch(tmp_path, live([*walk('red', 6), draw(), *walk('blue', 6)]))
    assert gallery.count() == 2
    assert len([line for line in said if 'disk is full' in line]) == 1


def test_a_picture_that_is_gone_is_named_and_passed_over(tmp_path):
    source, gallery, outbox, said = stream(tmp_path, live(walk('red', 6)))
    looks = source.looks(threading.Event())
    next(looks)
    next(looks)
    (tmp_path / 'images' / outbox.captured()[0].path).unlink()
    source.index()
    assert gallery.count() == 0 and not outbox.captured() and 'skipped .watched' in said[-1]


def test_a_clock_that_is_set_back_does_not_turn_time_around(tmp_path):
    now, times = time.time(), []

    class Noting(ByColor):
        def update(self, people, time):
            times.append(time)
            return super().update(people, time)

    def frames(stop):
        for moment in (now + 5, now + 6, now - 100, now + 7):
            yield LiveFrame(Image.fromarray(draw()), moment)
        stop.set()

    source, *_ = stream(tmp_path, frames)
    source._tracker = Noting()
    assert not list(source._see(threading.Event()))
    assert times == sorted(set(times)) and len(times) == 4


def test_a_camera_needs_a_name(tmp_path):
    with pytest.raises(BadValue, match='--camera NAME'):
        StreamSource(live(), ' ', tmp_path, None, None, None, None, ByColor(), print)


# ------------------------------------------------------------------ frames
def test_frames_of_a_stream_come_with_rising_times(tmp_path):
    file = write_video(tmp_path / 'a.avi', walk('red', 12))
    frames = list(live_frames(str(file), 0., threading.Event()))
    times = [frame.time for frame in frames]
    assert frames and times == sorted(set(times)) and frames[0].image.size == (96, 64)


def test_a_slow_taker_gets_the_newest_frame(tmp_path):
    file = write_video(tmp_path / 'a.avi', walk('red', 12))
    frames = live_frames(str(file), 0., threading.Event())
    first = next(frames)  # of a busy machine already the last one
    wait_for(lambda: not any(thread.name.endswith('(_read)') for thread in threading.enumerate()))
    taken = [frame.image for frame in (first, *frames)]
    assert len(taken) <= 2
    assert np.asarray(taken[-1])[40, 60, 0] > 150  # where only the last frames are red


def test_a_stream_that_is_not_there_is_lost_and_its_address_in_no_word(capfd):
    with pytest.raises(StreamLost) as error:
        next(live_frames('rtsp://me:secret@127.0.0.1:9/live', .1, threading.Event()))
    assert 'secret' not in str(error.value) + ''.join(capfd.readouterr())
    with pytest.raises(BadValue, match='negative|at least 0'):
        next(live_frames('rtsp://127.0.0.1:9/live', -1., threading.Event()))


def test_a_password_of_a_stream_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv('MMTBPS_STREAM_PASSWORD', 'p@ss/:')
    assert stream_address('rtsp://me@camera:554/a?b=c') == 'rtsp://me:p%40ss%2F%3A@camera:554/a?b=c'
    assert stream_address('rtsp://camera/a') == 'rtsp://camera/a'
    with pytest.raises(BadValue, match='MMTBPS_STREAM_PASSWORD') as error:
        stream_address('rtsp://me:hidden@camera/a')
    assert 'hidden' not in str(error.value)
