"""A fault of the user is one line; any other keeps its traceback."""

import errno
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmtbps.commands.process.stop_signals import Terminated
from mmtbps.commands.wording.command_names import COMMANDS
from mmtbps.commands.wording.user_errors import REMEDIES, one_line_errors, word_remedy
from mmtbps.datasets.skipped import UndecodableImage
from mmtbps.errors import (
    BadValue,
    MissingFile,
    MissingKey,
    MissingPackage,
    RecordError,
    Remedy,
    UserError,
    first_line,
)
from mmtbps.search.galleries import GalleryEntry, open_gallery

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize('kind, builtin', [
    (BadValue, ValueError), (MissingFile, FileNotFoundError), (MissingPackage, ImportError),
    (RecordError, ValueError)])
def test_a_user_error_is_one_line_and_still_its_built_in(kind, builtin, capsys):
    with pytest.raises(SystemExit) as stop, one_line_errors():
        raise kind('a.json: the key\n   "x" is missing')
    assert stop.value.code == 1
    assert capsys.readouterr().err == 'error: a.json: the key "x" is missing\n'
    assert issubclass(kind, UserError) and issubclass(kind, builtin)


def test_a_remedy_is_worded_with_what_is_known(capsys):
    with pytest.raises(SystemExit), one_line_errors():
        raise MissingFile('drawn: no data set here', Remedy('draw_dataset', dict(root='my set')))
    assert capsys.readouterr().err == (
        "error: drawn: no data set here: mmtbps draw 'my set'\n")
    assert word_remedy(Remedy('index', dict(gallery='a.lance'))) == (
        'mmtbps index a.lance IMAGES --model MODEL')


def test_several_faults_are_a_list_and_a_single_one_is_one_line(capsys):
    def printed(*problems):
        error = UserError('cannot start')
        error.problems = list(problems)
        with pytest.raises(SystemExit) as stop, one_line_errors():
            raise error
        assert stop.value.code == 1
        return capsys.readouterr().err

    one, two = MissingFile('a.pth: no such file'), MissingFile('b', Remedy('export'))
    assert printed(one) == 'error: a.pth: no such file\n'
    assert printed(one, two) == (
        'error: cannot start, because of:\n  - a.pth: no such file\n'
        '  - b: mmtbps export CONFIG CHECKPOINT OUT\n')


def said_of(error, capsys, **options):
    """Exit code and standard error of a command that raises."""
    with pytest.raises(SystemExit) as stop, one_line_errors(**options):
        raise error
    return stop.value.code, capsys.readouterr().err


@pytest.mark.parametrize('error', [ValueError('v'), KeyError('k'), RuntimeError('r'),
                                   ImportError('i'), OSError('without a file')])
def test_any_other_error_keeps_its_traceback_and_is_called_a_fault(error, capsys):
    code, said = said_of(error, capsys)
    assert code == 70
    assert said.startswith('Traceback (most recent call last):\n')
    assert 'raise error' in said and f'\n{type(error).__name__}: {error}\n' in said
    assert said.splitlines()[-1].startswith('error: this is a fault of the program')


@pytest.mark.parametrize('error', [
    MemoryError(), torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'),
    RuntimeError('[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can\'t allocate '
                 'memory: you tried to allocate 4096 bytes. Error code 12')])
def test_too_little_memory_has_a_cure(error, capsys):
    code, said = said_of(error, capsys)
    assert code == 1 and said.startswith('error: out of memory (') and said.count('\n') == 1
    assert first_line(error)[:60] in said
    assert '--batch-size' in said and 'model.chunk_size' in said


def test_a_worker_that_the_system_ended_has_a_cure(capsys):
    error = RuntimeError('DataLoader worker (pid(s) 7) exited unexpectedly')
    error.__cause__ = RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
    code, said = said_of(error, capsys)
    assert code == 1 and said.count('\n') == 1 and 'fewer workers' in said
    error.__cause__ = RuntimeError('DataLoader worker (pid 7) is killed by signal: Aborted. ')
    assert said_of(error, capsys)[0] == 70


@pytest.mark.parametrize('error, named', [
    (OSError(errno.ENOSPC, 'No space left on device'), 'temporary files (TMPDIR)'),
    (OSError(errno.ENOSPC, 'No space left on device', '/no/run/a.log'), '/no/run/a.log: the disk'),
    (RuntimeError('lance error: IO: No space left on device (os error 28)'), 'a disk is full')])
def test_a_full_disk_has_a_cure(error, named, capsys):
    code, said = said_of(error, capsys)
    assert code == 1 and said.count('\n') == 1 and named in said
    assert 'free some space and start the same command again' in said


def test_a_log_file_that_fails_prints_no_traceback(capsys):
    class Full(logging.Handler):
        def emit(self, record):
            try:
                raise OSError(errno.ENOSPC, 'No space left on device')
            except OSError:
                self.handleError(record)

    before, record = logging.raiseExceptions, logging.makeLogRecord(dict(msg='a line'))
    with one_line_errors():
        Full().emit(record)
    assert capsys.readouterr().err == '' and logging.raiseExceptions == before


def test_an_end_with_words_is_an_error(capsys):
    assert said_of(SystemExit('features differ'), capsys) == (1, 'error: features differ\n')
    assert said_of(SystemExit(3), capsys) == (3, '')


def test_what_the_system_refuses_is_one_line(capsys):
    with pytest.raises(SystemExit), one_line_errors():
        raise PermissionError(errno.EACCES, 'Permission denied', 'gallery/meta.json')
    assert capsys.readouterr().err == 'error: gallery/meta.json: Permission denied\n'


def test_a_config_that_is_no_python_is_named_with_its_line(tmp_path, capsys):
    from mmengine.config import Config

    import mmtbps  # noqa: F401
    (tmp_path / 'broken.py').write_text('a = 1\nb = (\n', 'utf-8')
    with pytest.raises(SystemExit), one_line_errors():
        Config.fromfile(tmp_path / 'broken.py')
    assert re.fullmatch(r'error: .*broken.py, line 2: .*never closed\n', capsys.readouterr().err)


def test_an_interrupt_says_what_is_safe(capsys):
    assert said_of(KeyboardInterrupt(), capsys, interrupted='interrupted; start it again') == (
        130, 'error: interrupted; start it again\n')
    assert said_of(Terminated(), capsys, interrupted='interrupted; start it again') == (
        143, 'error: terminated; start it again\n')


@pytest.mark.parametrize('number, code, word', [(signal.SIGINT, 130, 'interrupted'),
                                                (signal.SIGTERM, 143, 'terminated')])
def test_what_a_signal_breaks_is_the_signal(number, code, word, capsys):
    with pytest.raises(SystemExit) as stop, one_line_errors():
        try:
            signal.raise_signal(number)
        except BaseException:
            raise RuntimeError('DataLoader worker exited unexpectedly') from None
    assert (stop.value.code, capsys.readouterr().err) == (code, f'error: {word}\n')


def run_with_closed_output(*words):
    """Run a command whose reader has gone before anything is printed."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, 'wb') as output:
        return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, stdout=output,
                              stderr=subprocess.PIPE, text=True,
                              env={**os.environ, 'PYTHONPATH': str(ROOT)})


def test_a_command_whose_reader_is_gone_ends_quietly(tmp_path):
    people = open_gallery(tmp_path / 'people', dict(model='0' * 64, pipeline='', dim=4))
    people.upsert([GalleryEntry('1', '1.jpg')], np.eye(1, 4, dtype=np.float32))
    for words in (['models.py', '--json'], ['models.py', 'person'],
                  ['search.py', 'info', tmp_path / 'people']):
        done = run_with_closed_output(ROOT / 'tools' / words[0], *words[1:])
        assert (done.returncode, done.stderr) == (141, ''), words


def test_a_pipe_of_something_else_keeps_its_traceback(capsys):
    code, said = said_of(BrokenPipeError(errno.EPIPE, 'of a worker'), capsys)
    assert code == 70 and 'of a worker' in said


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='the system has no /dev/full')
def test_output_that_finds_no_space_is_one_line():
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([sys.executable, ROOT / 'tools/models.py'], stdout=full,
                              stderr=subprocess.PIPE, text=True,
                              env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert (done.returncode, done.stderr.count('\n')) == (1, 1), done.stderr
    assert done.stderr.startswith('error: a disk is full')


def test_a_user_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(MissingFile('gone', Remedy('export'))))
    assert (type(error), str(error), error.remedy) == (MissingFile, 'gone', Remedy('export'))


class Records(torch.utils.data.Dataset):
    """A data set of which every record has a fault."""

    def __init__(self, error, cause=None):
        self.error, self.cause = error, cause

    def __len__(self):
        return 2

    def __getitem__(self, index):
        try:
            raise self.cause or LookupError('nothing')
        except Exception as error:
            raise self.error from error


@pytest.mark.parametrize('error, words, cause', [
    (RecordError('pairs.json, record 3: the key "caption"\nis missing'),
     'pairs.json, record 3: the key "caption" is missing',
     RecordError('an inner one: of the same kind')),
    (UndecodableImage('cuhk, record 7: undecodable image: a.jpg (OSError: cut short)'),
     'cuhk, record 7: undecodable image: a.jpg (OSError: cut short)', None),
    (MissingKey("no 'caption' in the item"), "no 'caption' in the item", None)])
def test_a_fault_in_a_worker_of_a_loader_is_one_line(error, words, cause, capsys):
    items = iter(torch.utils.data.DataLoader(Records(error, cause), num_workers=1))
    with pytest.raises(SystemExit) as stop, one_line_errors():
        next(items)
    items._shutdown_workers()  # left to the garbage collection, it is waited for
    assert stop.value.code == 1 and capsys.readouterr().err == f'error: {words}\n'


def test_every_remedy_names_a_command_or_an_option_that_is_there():
    places = [*(ROOT / 'tools').glob('*.py'), *(ROOT / 'mmtbps/commands').rglob('*.py'),
              ROOT / 'mmtbps/engine/launch.py']
    options = {word for path in places
               for word in re.findall(r"'(--[a-z-]+)'", path.read_text(encoding='utf-8'))}
    for command in REMEDIES.values():
        first, second = command.split()[:2]
        assert second in (options if first in ('add', 'leave') else COMMANDS), command
