"""Frames with their right number and time, and clear words about videos that are none."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.search.media import videos as module
from mmtbps.search.media.base import VIDEO_SUFFIXES
from mmtbps.search.media.images import UnreadableImage
from mmtbps.search.media.videos import UnreadableVideo, VideoFrame, frames_of, is_video, read_frame

pytest.importorskip('cv2')
from videos import FPS, break_frames, encode, gray_frames, shades, write_video  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(module, 'print_log', lambda line, *_: lines.append(line))
    return lines


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'gray.avi', gray_frames(25))


def told(frame):
    """The number that the brightness of a frame tells."""
    return round(np.asarray(frame.image).mean() / 8)


@pytest.mark.parametrize('every, numbers', [
    (1, [0, 10, 20]), (0, list(range(25))), (.25, list(range(0, 25, 3))), (.5, [0, 5, 10, 15, 20]),
    (60, [0])])
def test_frames_come_with_number_and_time(video, said, every, numbers):
    frames = list(frames_of(video, every))
    assert [frame.number for frame in frames] == numbers
    assert [told(frame) for frame in frames] == numbers
    assert [frame.time for frame in frames] == [pytest.approx(number / FPS) for number in numbers]
    assert {frame.path for frame in frames} == {video} and not said


def test_a_frame_is_found_again(video):
    for frame in frames_of(video, .3):
        assert read_frame(video, frame.number) == frame.image
    with pytest.raises(UnreadableVideo, match='gray.avi: frame 25 is missing or broken'):
        read_frame(video, 25)


def test_colours_are_not_swapped(tmp_path):
    red = np.zeros((64, 96, 3), np.uint8) + np.array([200, 30, 10], np.uint8)
    frame = next(frames_of(write_video(tmp_path / 'red.avi', [red])))
    assert np.abs(np.asarray(frame.image).mean((0, 1)) - [200, 30, 10]).max() < 8


def test_broken_frames_are_passed_over_and_counted(video, said):
    break_frames(video, [9, 10, 20])
    frames = list(frames_of(video, 0))
    numbers = [number for number in range(25) if number not in (9, 10, 20)]
    assert [frame.number for frame in frames] == [told(frame) for frame in frames] == numbers
    assert frames[9].time == pytest.approx(1.1)
    assert said == [f'{video}: 3 broken frames left out, ends 0.0 s too early']
    assert [frame.number for frame in frames_of(video, 1)] == [0, 11, 21]


def test_a_frame_behind_broken_ones_is_found_again(video, said):
    for frame in frames_of(break_frames(video, [3, 9]), .4):
        assert read_frame(video, frame.number) == frame.image
    with pytest.raises(UnreadableVideo, match='frame 9 is missing or broken'):
        read_frame(video, 9)


def test_a_video_that_is_cut_off_gives_what_there_is(video, said):
    data = video.read_bytes()
    video.write_bytes(data[:data.find(b'idx1') // 2])
    numbers = [frame.number for frame in frames_of(video, 0)]
    assert 0 < len(numbers) < 25 and numbers == list(range(len(numbers)))
    assert said == [f'{video}: 0 broken frames left out, ends {2.5 - len(numbers) / FPS:.1f} s '
                    'too early']


@pytest.mark.parametrize('ending', ['mkv', 'mp4'])
def test_a_rate_that_varies(tmp_path, said, ending):
    """As telephones record: the container's times count, and a number leads back to its frame."""
    av = pytest.importorskip('av')
    path, times = tmp_path / f'phone.{ending}', []
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.bit_rate = 96, 64, 20_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(gray_frames(30)):
            frame = av.VideoFrame.from_ndarray(pixels, 'rgb24')
            times.append(times[-1] + (15, 60, 140)[number % 3] if times else 0)
            frame.pts, frame.time_base = times[-1], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = list(frames_of(path, 0))
    assert len({frame.number for frame in frames}) == len(frames) >= 20 and not said
    for frame in frames:
        assert 1000 * frame.time == pytest.approx(times[told(frame)], abs=1)
        assert told(VideoFrame(read_frame(path, frame.number), path)) == told(frame)


def nothing(path):
    path.write_bytes(b'')


def text(path):
    path.write_text('this is not a video\n' * 100)


def no_frames(path):
    write_video(path, [])


def only_broken_frames(path):
    break_frames(write_video(path, gray_frames(4)), range(4))


@pytest.mark.parametrize('make', [nothing, text, no_frames, only_broken_frames])
def test_an_unreadable_video_is_named(tmp_path, make):
    make(path := tmp_path / 'bad.avi')
    with pytest.raises(UnreadableVideo, match='bad.avi: no ') as caught:
        list(frames_of(path))
    assert caught.value.path == str(path) and caught.value.reason
    with pytest.raises(UnreadableVideo, match='bad.avi'):
        read_frame(path, 0)


@pytest.mark.parametrize('source', ['gone.mp4', 'http://127.0.0.1:9/a.mp4', '0', 'img_%03d.jpg'])
def test_only_files_are_opened(tmp_path, source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such image, video or folder') as caught:
        list(frames_of(source))
    assert isinstance(caught.value, UserError)
    with pytest.raises(UnreadableVideo, match='no such file'):
        read_frame(source, 0)


def test_playlists_and_other_files_are_refused(tmp_path):
    (tmp_path / 'list.m3u8').write_text('#EXTM3U\nfile:///etc/passwd\n')
    with pytest.raises(UnreadableImage, match='neither image nor video'):
        list(frames_of(tmp_path / 'list.m3u8'))
    assert not list(frames_of(tmp_path))
    assert is_video('A/B.MP4') and not is_video('a.jpg') and not is_video('mp4')


def test_giant_frames_are_refused(video, monkeypatch):
    monkeypatch.setattr(module, 'MAX_PIXELS', 96 * 64 - 1)
    with pytest.raises(UnreadableVideo, match='million pixels'):
        list(frames_of(video))


@pytest.mark.parametrize('every', [-1, float('nan')])
def test_time_does_not_run_back(video, every):
    with pytest.raises(UserError, match='every must be at least 0'):
        list(frames_of(video, every))


def test_without_opencv_the_extra_is_named():
    code = ('import sys\n'
            "sys.modules['cv2'] = None\n"
            'from mmtbps.search.media import read_crop\n'
            'from mmtbps.search.media.videos import read_frame\n')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert 'MissingPackage: videos need cv2: pip install' in done.stderr


def test_a_folder_gives_all_that_can_be_read(tmp_path):
    folder, outside = tmp_path / 'in', tmp_path / 'outside.png'
    (folder / 'b').mkdir(parents=True)
    for name in ('a.png', 'b/d.png'):
        Image.new('RGB', (8, 9), (1, 2, 3)).save(folder / name)
    write_video(folder / 'b/c.avi', gray_frames(12))
    (folder / 'b/broken.png').write_bytes(b'PNG')
    (folder / 'b/notes.txt').write_text('x')
    Image.new('RGB', (8, 9)).save(outside)
    (folder / 'b/leak.png').symlink_to(outside)
    no_frames(folder / 'empty.avi')
    errors = []
    frames = list(frames_of(folder, 1, errors.append))
    assert [(frame.path.relative_to(folder).as_posix(), frame.number, frame.time)
            for frame in frames] == [('a.png', None, None), ('b/c.avi', 0, 0),
                                     ('b/c.avi', 10, 1.0), ('b/d.png', None, None)]
    assert frames[0].image.getpixel((0, 0)) == (1, 2, 3)
    assert sorted(error.path.rpartition('/')[2] for error in errors) == [
        'broken.png', 'empty.avi', 'leak.png']
    assert any('symbolic link' in error.reason for error in errors)
    with pytest.raises(UnreadableImage):
        list(frames_of(folder, 1))


def test_several_files_keep_their_order(video, tmp_path):
    Image.new('RGB', (8, 9)).save(tmp_path / 'z.png')
    frames = frames_of([tmp_path / 'z.png', str(video)], 2)
    assert [(frame.path.name, frame.number) for frame in frames] == [
        ('z.png', None), ('gray.avi', 0), ('gray.avi', 20)]


# ------------------------------------------------------------------ odd videos
@pytest.mark.parametrize('ending', VIDEO_SUFFIXES)
def test_every_ending_that_is_looked_for_is_read(tmp_path, ending, said):
    frames = list(frames_of(encode(tmp_path / f'a{ending}', shades(0, 60))))
    assert [frame.time for frame in frames] == [0, 1, 2]
    np.testing.assert_allclose([np.asarray(frame.image).mean() for frame in frames], [0, 25, 50],
                               atol=3)
    assert read_frame(tmp_path / f'a{ending}', frames[1].number) == frames[1].image


def test_a_late_start_is_no_early_end(tmp_path, said):
    frames = list(frames_of(encode(tmp_path / 'late.mkv', shades(0, 100), start=125)))
    assert [frame.time for frame in frames] == [0, 1, 2, 3] and not said


def test_small_steps_back_are_left_out_and_counted(video, said, monkeypatch):
    read = module._Clock.read

    def shake(clock):
        time = read(clock)
        return time - .25 if round(time * FPS) in (7, 15) else time

    monkeypatch.setattr(module._Clock, 'read', shake)
    assert len(list(frames_of(video, 0))) == 23
    assert said == [f'{video}: 2 frames left out whose time had passed']


@pytest.mark.parametrize('turns', [0, 1, 2, 3])
def test_a_video_is_turned_as_it_says(tmp_path, turns):
    """Telephones write how they were held into the header of the track."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48] = 250
    data = bytearray(encode(tmp_path / 'a.mp4', [pixels] * 5).read_bytes())
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    place = data.find(b'tkhd') + 4 + 40
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 16384]
    data[place:place + 36] = b''.join(
        (value << 16).to_bytes(4, 'big', signed=True) for value in matrix)
    (tmp_path / 'a.mp4').write_bytes(data)
    frame = next(frames_of(tmp_path / 'a.mp4', 0))
    expected = np.rot90(pixels, -turns)
    for image in (frame.image, read_frame(tmp_path / 'a.mp4', 0)):
        found = np.asarray(image)
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 6
