"""JSON lines: all that was appended, whatever a crash left behind."""

import json
import multiprocessing
import os
import signal
import warnings

import pytest

from mmtbps.errors import RecordError, printable
from mmtbps.fileio import DiskFull, JsonlWriter, LockTaken, append_json_lines, iter_json_lines

FULL = {'image': 'a/1.jpg', 'captions': ['Ein Mann, größer.', '男'], 'scores': {'psnr': 31.5}}
BARE = {'image': 'c.jpg', 'captions': ['A woman.']}
FORK = multiprocessing.get_context('fork')


def append(path, row):
    with JsonlWriter(path) as lines:
        lines.append(row)


def read(path):
    return [row for _, row in iter_json_lines(path)]


def test_append_then_read(tmp_path):
    path = tmp_path / 'made/on/the/way/pairs.jsonl'
    for row in (FULL, BARE, FULL):
        append(path, row)
    assert list(iter_json_lines(path)) == [(1, FULL), (2, BARE), (3, FULL)]
    assert path.read_bytes().endswith(b'\n')
    assert '男' in path.read_text(encoding='utf-8')  # readable, not escaped


def test_half_written_last_line_is_ignored_with_a_warning(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    append(path, FULL)
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1):  # at every byte, also inside a character
        path.write_bytes(whole + whole[:cut])
        with pytest.warns(UserWarning, match=r'pairs\.jsonl:2: half-written'):
            assert read(path) == [FULL]


def test_last_line_without_newline_counts_when_whole(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_text(json.dumps(BARE))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read(path) == [BARE]
    append(path, FULL)
    assert read(path) == [BARE, FULL]


@pytest.mark.parametrize('length', [10, 4095, 4096, 9000])
def test_append_cuts_off_a_torn_line_of_an_earlier_crash(tmp_path, length):
    path = tmp_path / 'pairs.jsonl'
    append(path, FULL)
    with open(path, 'ab') as file:
        file.write(b'{"image": "' + b'x' * length)
    append(path, BARE)
    assert read(path) == [FULL, BARE]


def test_append_to_a_file_that_is_one_torn_line(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_bytes(b'{"ima')
    append(path, BARE)
    assert read(path) == [BARE]


def test_append_writes_once_and_syncs(tmp_path, monkeypatch):
    calls = []
    real_write, real_sync = os.write, os.fsync
    monkeypatch.setattr(os, 'write', lambda fd, b: calls.append('write') or real_write(fd, b))
    monkeypatch.setattr(os, 'fsync', lambda fd: calls.append('fsync') or real_sync(fd))
    append(tmp_path / 'a.jsonl', FULL)
    assert calls == ['write', 'fsync']


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / 'a.jsonl'
    append(path, BARE)
    before, real_write = path.read_bytes(), os.write
    monkeypatch.setattr(os, 'write', lambda fd, b: real_write(fd, b[:5]))
    with pytest.raises(DiskFull, match=r'a\.jsonl: the disk is full'):
        append(path, FULL)
    assert path.read_bytes() == before


def test_append_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match='JSON compliant'):
        append(tmp_path / 'a.jsonl', {'psnr': float('nan')})
    assert not (tmp_path / 'a.jsonl').read_bytes()


@pytest.mark.parametrize('broken', ['{"image": "a', '{"image" "a"}', 'hello'])
def test_broken_line_in_the_middle_is_an_error(tmp_path, broken):
    path = tmp_path / 'pairs.jsonl'
    good = json.dumps(BARE)
    path.write_text(f'{good}\n\n{broken}\n{good}\n')
    with pytest.raises(RecordError, match=r'pairs\.jsonl:3: broken JSON'):
        read(path)


def test_empty_lines_and_a_byte_order_mark_are_passed_over(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'\xef\xbb\xbf1\r\n\n  \n2\n')
    assert list(iter_json_lines(path)) == [(1, 1), (4, 2)]


def test_one_writer_at_a_time(tmp_path):
    with JsonlWriter(tmp_path / 'a.jsonl') as first:
        with pytest.raises(LockTaken, match=r'a\.jsonl: another process'):
            JsonlWriter(tmp_path / 'a.jsonl')
        first.append(1)
    append(tmp_path / 'a.jsonl', 2)
    assert read(tmp_path / 'a.jsonl') == [1, 2]


def _write_for_ever(path, sent):
    with JsonlWriter(path) as lines:
        for number in range(10**9):
            lines.append({'number': number, 'text': 'x' * 300})
            sent.send(number)


def test_a_kill_loses_no_line_that_append_returned_for(tmp_path):
    path = tmp_path / 'done.jsonl'
    for _ in range(5):
        received, sent = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_write_for_ever, args=(path, sent))
        process.start()
        last = [received.recv() for _ in range(20)][-1]
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with JsonlWriter(path):  # the next start: the lock is free, a torn line goes
            numbers = [row['number'] for row in read(path)]
        while received.poll():
            try:
                last = received.recv()
            except EOFError:
                break
        assert numbers[:last + 1] == list(range(last + 1)) and len(numbers) <= last + 2
        path.unlink()


def _append_many(path, number):
    for turn in range(100):
        append_json_lines(path, [[number, turn, 'x' * 500]] * 2)


def test_several_processes_append_to_one_file(tmp_path):
    processes = [FORK.Process(target=_append_many, args=(tmp_path / 'a.jsonl', number))
                 for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    rows = read(tmp_path / 'a.jsonl')
    for number in range(3):
        assert [row[1] for row in rows if row[0] == number] == [t for t in range(100) for _ in '12']
    assert len(rows) == 600


def test_appending_nothing_makes_no_file(tmp_path):
    append_json_lines(tmp_path / 'a.jsonl', [])
    assert not any(tmp_path.iterdir())


def test_a_name_that_is_no_unicode_travels_as_an_escape(tmp_path):
    append_json_lines(tmp_path / 'a.jsonl', ['\udcff.jpg'])
    assert read(tmp_path / 'a.jsonl') == ['\udcff.jpg']


def test_a_line_ends_nowhere_else_and_acts_on_no_terminal(tmp_path):
    names = ['a\u2028b', 'a\x85b', 'a\x9b2Jb', '\u202egpj.exe', 'Größe \u670d \U0001f392']
    append_json_lines(tmp_path / 'a.jsonl', names)
    text = (tmp_path / 'a.jsonl').read_text('utf-8')
    assert read(tmp_path / 'a.jsonl') == names and len(text.splitlines()) == len(names)
    assert printable(text.replace('\n', '')) == text.replace('\n', '') and names[-1] in text


def test_a_line_nested_too_deeply_is_named(tmp_path):
    path = tmp_path / 'deep.jsonl'
    path.write_text('{}\n' + '[' * 100_000 + ']' * 100_000 + '\n', 'utf-8')
    with pytest.raises(RecordError, match='deep.jsonl:2: broken JSON'):
        list(iter_json_lines(path))
