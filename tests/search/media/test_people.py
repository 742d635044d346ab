"""People out of images and videos: one entry a detection, or one a track that holds its best."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmtbps.errors import MissingPackage, UserError
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import DetectionOptions, IndexOptions, index_people
from mmtbps.search.media.base import Detection, Detector, Tracker
from mmtbps.search.media.images import UnreadableImage
from mmtbps.search.media.people import people_in, people_of
from mmtbps.search.media.tracker import PersonTracker
from mmtbps.search.media.videos import VideoFrame, frames_of, read_frame

pytest.importorskip('cv2')
from fakes import ColorEncoder  # noqa: E402
from videos import FPS, ColorDetector, color_of, draw, write_video  # noqa: E402


@pytest.fixture
def tracker():
    pytest.importorskip('trackers')
    return PersonTracker(every=1 / FPS, lost_after=.5)


def save(frame, path):
    Image.fromarray(frame).save(path)
    return path


def walk(color, start, step, count, top=20, height=30):
    """A rectangle of 12 pixels that walks; one (colour, box) a frame."""
    return [(color, start + step * i, top, start + step * i + 12, top + height)
            for i in range(count)]


def known(person):
    """Of an entry all but the id."""
    entry = person.entry
    assert entry.time is None  # a date, which nothing here knows
    offset = entry.extra.get('video_time')
    return entry.path, entry.frame, None if offset is None else float(offset), entry.box


# ------------------------------------------------------------------ one entry a detection
def test_an_image_gives_its_people(tmp_path):
    (tmp_path / 'hall').mkdir()
    frame = draw(('red', 5, 10, 20, 50), ('blue', 60, 0, 80, 64))
    save(frame, tmp_path / 'hall/a.png')
    red, blue = people_in(tmp_path, ColorDetector(score=.87))
    assert known(red) == ('hall/a.png', None, None, (5, 10, 20, 50))
    assert known(blue) == ('hall/a.png', None, None, (60, 0, 80, 64))
    assert np.array_equal(red.crop, frame[10:50, 5:20])
    assert np.array_equal(blue.crop, frame[0:64, 60:80])
    assert red.entry.track is None and red.entry.extra == {'detection_score': '0.870'}


def test_a_video_gives_frame_and_time(tmp_path):
    people = walk('red', 5, 3, 25)
    video = write_video(tmp_path / 'a.avi', [draw(person) for person in people])
    found = list(people_in(video, ColorDetector(batch_size=2), every=.5))
    assert [known(person)[:3] for person in found] == [
        ('a.avi', number, number / FPS) for number in (0, 5, 10, 15, 20)]
    for person in found:
        assert np.abs(np.subtract(person.entry.box, people[person.entry.frame][1:])).max() <= 2
        whole = read_frame(tmp_path / person.entry.path, person.entry.frame)
        assert whole.crop(person.entry.box) == person.crop
        assert color_of(person.crop) == 'red'


def test_a_second_between_frames_by_default(tmp_path):
    video = write_video(tmp_path / 'a.avi', [draw(('red', 5, 10, 20, 50))] * 21)
    assert [person.entry.frame for person in people_in(video, ColorDetector())] == [0, 10, 20]


def test_ids_are_the_same_in_every_run_and_never_twice(tmp_path):
    crowd = draw(('red', 5, 10, 20, 50), ('green', 30, 10, 45, 50), ('blue', 60, 0, 80, 64))
    for name in ('a.png', 'b.png'):
        save(crowd, tmp_path / name)
    write_video(tmp_path / 'c.avi', [crowd] * 11)
    runs = [[person.entry for person in people_in(tmp_path, ColorDetector(size))]
            for size in (1, 4)]
    assert runs[0] == runs[1] and len(runs[0]) == 12
    assert len({entry.id for entry in runs[0]}) == 12
    assert all(isinstance(entry, GalleryEntry) for entry in runs[0])
    assert all(GalleryEntry.from_json(entry.to_json()) == entry for entry in runs[0])


def test_paths_are_relative_to_the_root(tmp_path):
    (tmp_path / 'cam1').mkdir()
    image = save(draw(('red', 5, 10, 20, 50)), tmp_path / 'cam1/a.png')
    other = save(draw(('red', 5, 10, 20, 50)), tmp_path / 'b.png')

    def paths(source, root=None):
        return [person.entry.path for person in people_in(source, ColorDetector(), root=root)]

    assert paths(image) == ['a.png'] and paths(image, tmp_path) == ['cam1/a.png']
    assert paths([image, str(other)]) == ['cam1/a.png', 'b.png'] and paths([]) == []
    with pytest.raises(UserError, match='b.png lies outside .*cam1, the folder of the images'):
        paths(other, tmp_path / 'cam1')


def test_a_file_that_is_gone_from_a_sequence_is_told_and_left_out(tmp_path):
    image = save(draw(('red', 5, 10, 20, 50)), tmp_path / 'a.png')
    errors = []
    people = list(people_in([tmp_path / 'gone.png', image, tmp_path / 'gone.avi'],
                            ColorDetector(), root=tmp_path, on_unreadable=errors.append))
    assert [person.entry.path for person in people] == ['a.png']
    assert [str(error) for error in errors] == [
        f'{tmp_path}/gone.png: no such file', f'{tmp_path}/gone.avi: no such file']


def test_what_cannot_be_read_is_told_and_left_out(tmp_path):
    save(draw(('red', 5, 10, 20, 50)), tmp_path / 'a.png')
    (tmp_path / 'b.avi').write_bytes(b'RIFF')
    errors = []
    people = list(people_in(tmp_path, ColorDetector(), on_unreadable=errors.append))
    assert [person.entry.path for person in people] == ['a.png']
    assert [error.path for error in errors] == [str(tmp_path / 'b.avi')]
    with pytest.raises(UnreadableImage, match='b.avi'):
        list(people_in(tmp_path, ColorDetector()))
    with pytest.raises(FileNotFoundError):
        list(people_in(tmp_path / 'c', ColorDetector()))


# ------------------------------------------------------------------ one entry a track
def test_a_track_gives_its_largest_view(tmp_path, tracker):
    heights = [20, 24, 30, 38, 44, 36, 28, 22, 20, 20]
    frames = [draw(('red', 20 + i, 10, 34 + i, 10 + height)) for i, height in enumerate(heights)]
    video = write_video(tmp_path / 'a.avi', frames)
    person, = people_in(video, ColorDetector(), tracker)
    assert known(person)[:3] == ('a.avi', 4, .4)
    assert person.crop.height == pytest.approx(44, abs=2) and person.entry.track == 'a.avi#0'
    assert person.entry.extra == {'detection_score': '0.900', 'video_time': '0.400',
                                  'first_seen': '0.10', 'last_seen': '0.90'}


def test_a_surer_view_beats_a_slightly_larger_one(tracker):
    def detector(images):
        return [[Detection((10, 10, 20, 50 if number == 3 else 48), .95 if number == 5 else .6)]
                for number in detector.numbers.pop(0)]

    detector.batch_size, detector.numbers = 8, [range(8)]
    frames = [VideoFrame(Image.new('RGB', (96, 64)), Path('a.avi'), n, n / FPS) for n in range(8)]
    person, = people_of(frames, detector, tracker)
    assert (person.entry.frame, person.entry.extra['detection_score']) == (5, '0.950')


def test_two_who_cross_stay_two(tmp_path, tracker):
    right, left = walk('red', 4, 4, 19), walk('blue', 78, -4, 19, top=26, height=34)
    video = write_video(tmp_path / 'a.avi', [draw(*pair) for pair in zip(right, left, strict=True)])
    people = list(people_in(video, ColorDetector(), tracker))
    assert sorted(color_of(person.crop) for person in people) == ['blue', 'red']
    assert {person.entry.track for person in people} == {'a.avi#0', 'a.avi#1'}
    assert len({person.entry.id for person in people}) == 2
    # Both are followed from the second frame to the last, through the meeting.
    assert {person.entry.extra['last_seen'] for person in people} == {'1.80'}


def test_a_track_is_given_out_when_it_ends(tmp_path, tracker):
    first, second = walk('red', 4, 1, 10), walk('green', 50, 1, 10)
    frames = [draw(person) for person in first] + [draw()] * 15 + [draw(p) for p in second]
    video, detector = write_video(tmp_path / 'a.avi', frames), ColorDetector(batch_size=1)
    people = people_in(video, detector, tracker)
    assert color_of(next(people).crop) == 'red'
    assert 10 + .5 * FPS <= detector.seen <= 10 + .5 * FPS + 3
    assert [color_of(person.crop) for person in people] == ['green']


def test_a_killed_run_gives_the_same_again(tmp_path, tracker):
    frames = [draw(p) for p in walk('red', 4, 1, 10)] + [draw()] * 15
    video = write_video(tmp_path / 'a.avi', frames + [draw(p) for p in walk('blue', 50, 1, 10)])
    run = people_in(video, ColorDetector(), tracker)
    before = next(run).entry
    run.close()
    after = [person.entry for person in people_in(video, ColorDetector(3), tracker)]
    assert before == after[0] and [entry.track for entry in after] == ['a.avi#0', 'a.avi#1']


def test_each_video_has_its_own_tracks(tmp_path, tracker):
    for name in ('a.avi', 'b.avi'):
        write_video(tmp_path / name, [draw(person) for person in walk('red', 4, 1, 8)])
    a, b = (person.entry for person in people_in(tmp_path, ColorDetector(), tracker))
    assert (a.track, b.track) == ('a.avi#0', 'b.avi#0') and a.id != b.id


def test_photographs_are_not_tracked(tmp_path, tracker):
    for name in ('a.png', 'b.png', 'c.png'):
        save(draw(('red', 5, 10, 20, 50)), tmp_path / name)
    entries = [person.entry for person in people_in(tmp_path, ColorDetector(), tracker)]
    assert [(entry.path, entry.track) for entry in entries] == [
        ('a.png', None), ('b.png', None), ('c.png', None)]


def test_the_tracker_says_how_often_to_look(tmp_path):
    pytest.importorskip('trackers')
    video = write_video(tmp_path / 'a.avi', [draw(person) for person in walk('red', 4, 1, 21)])
    detector = ColorDetector()
    list(people_in(video, detector, PersonTracker(every=.5)))
    assert detector.seen == 5
    list(people_in(video, detector, PersonTracker(every=.5), every=1))
    assert detector.seen == 5 + 3


# ------------------------------------------------------------------ the tracker itself
def test_numbers_follow_the_people_and_not_their_order(tracker):
    shuffle = np.random.default_rng(0)
    numbers = []
    for i in range(12):
        people = [Detection((10 + i, 5, 30 + i, 60), .9), Detection((200 - i, 5, 220 - i, 60), .5),
                  Detection((400, 5 + i, 420, 60 + i), .2)]
        order = shuffle.permutation(3)
        found = tracker.update([people[k] for k in order], i / FPS)
        numbers.append([found[list(order).index(k)] for k in range(3)])
    assert numbers[0] == [None] * 3 and sorted(numbers[1]) == [0, 1, 2]
    assert all(row == numbers[1] for row in numbers[2:])
    assert tracker.open == {0, 1, 2}


@pytest.mark.parametrize('gap, same', [(3, True), (8, False)])
def test_who_comes_back_soon_is_the_same(tracker, gap, same):
    person = [Detection((10, 5, 30, 60), .9)]
    seen = [0, 1, 2, 2 + gap, 3 + gap, 4 + gap]
    numbers = {i: tracker.update(person if i in seen else [], i / FPS)
               for i in range(seen[-1] + 1)}
    assert numbers[2] == [0] and numbers[seen[-1]] == [0 if same else 1]
    tracker.start()
    assert not tracker.open


def test_it_is_a_tracker(tracker):
    assert isinstance(tracker, Tracker) and not isinstance(tracker, Detector)
    assert isinstance(ColorDetector(), Detector) and not isinstance(ColorDetector(), Tracker)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'trackers', None)
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[video\]"'):
        PersonTracker()


@pytest.mark.parametrize('wrong', [dict(every=0), dict(lost_after=-1), dict(every=float('nan'))])
def test_times_must_be_above_zero(wrong):
    with pytest.raises(UserError, match='above 0'):
        PersonTracker(**wrong)


def test_frames_of_any_origin_will_do(tmp_path):
    video = write_video(tmp_path / 'a.avi', [draw(('red', 5, 10, 20, 50))] * 5)
    chosen = (frame for frame in frames_of(video, 0) if frame.number == 3)
    assert [known(person)[:2] for person in people_of(chosen, ColorDetector(), root=tmp_path)] == [
        ('a.avi', 3)]


def test_people_of_a_video_are_indexed_and_found(tmp_path, tracker):
    folder = tmp_path / 'videos'
    folder.mkdir()
    crossing = zip(walk('red', 4, 4, 19), walk('blue', 78, -4, 19, top=26), strict=True)
    write_video(folder / 'a.avi', [draw(*pair) for pair in crossing])
    gallery = open_gallery(str(tmp_path / 'people'), ColorEncoder.fingerprint)
    report = index_people(folder, gallery, ColorEncoder(),
                          detection=DetectionOptions(ColorDetector(), tracker),
                          options=IndexOptions(progress=False))
    assert (report.indexed, report.skipped) == (2, [])
    hit, = gallery.search(ColorEncoder().encode_texts(['all in blue']), topk=1)[0]
    entry = hit.entry
    assert entry.track in ('a.avi#0', 'a.avi#1') and entry.extra['last_seen'] == '1.80'
    assert color_of(read_frame(folder / entry.path, entry.frame).crop(entry.box)) == 'blue'
    assert index_people(folder, gallery, ColorEncoder(),
                        detection=DetectionOptions(ColorDetector(), tracker),
                        options=IndexOptions(progress=False)).unchanged == 1
