"""Fixtures of campaigns of kills and of tests of hostile inputs."""

import os
import resource
import signal

import pytest
from killed_processes import Tools

from mmtbps.commands.wording.user_errors import one_line_errors


@pytest.fixture(scope='session')
def tools():
    """A process that has loaded the package, for all campaigns."""
    with Tools() as preloaded:
        yield preloaded


@pytest.fixture
def limited(monkeypatch, tmp_path):
    """A minute and 400 MB for each input, in a folder where nothing may be left by code."""
    def stop(*_):
        raise TimeoutError('it waits for ever')

    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, stop)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 400 << 10
    assert not os.path.exists('hacked')


@pytest.fixture
def refusal(capsys):
    """A function: the one line in which a command ends that does what it is given."""
    def run(call):
        with pytest.raises(SystemExit) as ended, one_line_errors():
            call()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        lines = said.splitlines()[said.count('cannot start, because of:'):]
        assert all(line.isprintable() for line in lines)
        line, = [line for line in lines if line.startswith(('error: ', '  - '))]
        return line
    return run
