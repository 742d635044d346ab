"""Videos that were joined end to end are read to their end, or what is not read of them is said."""

import numpy as np
import pytest

pytest.importorskip('cv2')
from videos import encode, shades  # noqa: E402

from mmtbps.search.media import videos as module  # noqa: E402
from mmtbps.search.media.videos import frames_of, read_frame  # noqa: E402


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(module, 'print_log', lambda line, *_: lines.append(line))
    return lines


@pytest.mark.parametrize('ending', ['mpg', 'webm', 'mkv', 'avi'])
def test_joined_videos_are_read_to_their_end(tmp_path, ending):
    parts = [encode(tmp_path / f'{first}.{ending}', shades(first, 100)) for first in (0, 100)]
    joined, notes = tmp_path / f'joined.{ending}', []
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    frames = list(frames_of(joined, 1, on_note=lambda path, note: notes.append(note)))
    shown = [np.asarray(frame.image).mean() for frame in frames]
    assert [frame.time for frame in frames[:8]] == list(range(8))
    np.testing.assert_allclose(shown[:8], range(0, 200, 25), atol=3)
    for frame in frames:
        assert read_frame(joined, frame.number) == frame.image
    if ending == 'avi':  # which has no time stamps that could begin again
        assert not notes
    else:
        assert len(notes) == 1 and 'its time begins again 1 x' in notes[0]


@pytest.mark.parametrize('kind, ending', [('mkv', 'mkv'), ('webm', 'webm'), ('mpg', 'mpg'),
                                          ('mkv', 'mp4'), ('ts', 'mpg')])
def test_three_joined_videos_are_read_to_their_end_under_any_ending(tmp_path, kind, ending):
    """FFmpeg reads two Matroska videos that were joined; a recorder may give any ending."""
    parts = [encode(tmp_path / f'{first}.{kind}', shades(first, 50)) for first in (0, 50, 100)]
    joined, notes = tmp_path / f'joined.{ending}', []
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    frames = list(frames_of(joined, .4, on_note=lambda path, note: notes.append(note)))
    assert len(frames) >= 14 and [frame.time for frame in frames[:4]] == [0, .4, .8, 1.2]
    np.testing.assert_allclose([np.asarray(frame.image).mean() for frame in frames],
                               [25 * frame.time for frame in frames], atol=4)
    for frame in frames:
        assert read_frame(joined, frame.number) == frame.image
    assert notes == ['its time begins again 2 x and is counted on']


def test_joined_parts_that_cannot_be_opened_are_counted(tmp_path, said, monkeypatch):
    monkeypatch.setattr(module.JoinedCapture, 'isOpened', lambda capture: False)
    part = encode(tmp_path / 'a.mkv', shades(0, 50)).read_bytes()
    (tmp_path / 'joined.mkv').write_bytes(4 * part)
    assert [frame.time for frame in frames_of(tmp_path / 'joined.mkv')] == [0, 1, 2, 3]
    assert '2 further videos were joined to it and are not read' in said[0]


@pytest.mark.parametrize('ending', ['mp4', 'mov', 'wmv'])
def test_videos_behind_the_end_are_counted(tmp_path, said, ending):
    part = encode(tmp_path / f'a.{ending}', shades(0, 30))
    (tmp_path / f'joined.{ending}').write_bytes(3 * part.read_bytes())
    assert len(list(frames_of(tmp_path / f'joined.{ending}'))) == len(list(frames_of(part)))
    assert [line.partition(': ')[2] for line in said] == [
        '2 further videos were joined to it and are not read']


def test_a_joined_part_that_is_cut_off_does_not_hide_the_next(tmp_path, said):
    first, second = (encode(tmp_path / f'{start}.mkv', shades(start, 100)).read_bytes()
                     for start in (0, 100))
    (tmp_path / 'joined.mkv').write_bytes(first[:len(first) // 2] + second + first)
    frames = list(frames_of(tmp_path / 'joined.mkv'))
    shown = [np.asarray(frame.image).mean() for frame in frames]
    assert sum(level > 98 for level in shown) >= 4 and shown[-1] < 98
    assert len(said) == 1 and 'too early; its time begins again 2 x' in said[0]


def test_a_joined_part_that_starts_late_is_no_broken_one(tmp_path, said):
    """A recorder goes on counting from file to file."""
    parts = [encode(tmp_path / f'{start}.mkv', shades(start, 50), start) for start in (0, 50, 100)]
    joined = tmp_path / 'joined.mkv'
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    assert [frame.time for frame in frames_of(joined)] == list(range(6))
    assert len(said) == 1 and 'broken' not in said[0] and 'early' not in said[0]


@pytest.mark.parametrize('ending', ['mpg', 'mkv'])
def test_a_picture_size_that_changes_is_said(tmp_path, ending, said):
    parts = [encode(tmp_path / f'{width}.{ending}', shades(9, 30, (width, 64)))
             for width in (96, 320)]
    joined = tmp_path / f'joined.{ending}'
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    assert {frame.image.size for frame in frames_of(joined)} == {(96, 64)}
    assert len(said) == 1 and 'its picture size changes (96 x 64, 320 x 64)' in said[0]
