"""Exit codes: documented as they are, and handed on by everything that starts a command."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmtbps.commands.main import parse_name
from mmtbps.commands.process.command_process import run_process
from mmtbps.commands.process.exit_codes import ExitCode, exit_code_of, list_exit_codes
from mmtbps.commands.torchrun import code_of_failures

ROOT = Path(__file__).resolve().parents[3]


def test_the_help_and_the_page_list_every_code(capsys):
    with pytest.raises(SystemExit):
        parse_name(['--help'])
    assert list_exit_codes() in capsys.readouterr().out
    page = (ROOT / 'docs/reliability.md').read_text('utf-8')
    section = page[page.index('## Exit codes'):page.index('## Full disks')]
    for text, pattern in ((section, r'^\| (\d+) \|'), (list_exit_codes(), r'^  (\d+) ')):
        assert [int(code) for code in re.findall(pattern, text, re.MULTILINE)] == [*ExitCode]


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A function that writes what ``python -m mmtbps`` runs in this folder."""
    def write(code):
        (tmp_path / 'mmtbps').mkdir()
        (tmp_path / 'mmtbps/__init__.py').touch()
        (tmp_path / 'mmtbps/__main__.py').write_text(code)
    monkeypatch.chdir(tmp_path)
    return write


@pytest.mark.parametrize('returncode, code', [(0, 0), (70, 70), (-9, 137), (-2, 130)])
def test_a_command_that_runs_another_ends_with_its_code(returncode, code, stand_in):
    assert exit_code_of(returncode) == code
    stand_in('import os, sys\nassert sys.argv[1] == "train"\nnumber = int(sys.argv[2])\n'
             'os.kill(os.getpid(), -number) if number < 0 else sys.exit(number)\n')
    try:
        run_process('train', returncode)
    except SystemExit as stop:
        assert stop.code == code != 0
    else:
        assert code == 0


def test_a_command_that_stops_stops_the_other_first(stand_in, monkeypatch):
    stand_in('import time\ntime.sleep(100)\n')
    started, popen = [], subprocess.Popen

    def start(command, **options):
        started.append(popen(command, **options))
        waiting = started[0].wait

        def interrupted():
            started[0].wait = waiting
            raise KeyboardInterrupt

        started[0].wait = interrupted
        return started[0]

    monkeypatch.setattr(subprocess, 'Popen', start)
    with pytest.raises(KeyboardInterrupt):
        run_process('train')
    assert started[0].returncode is not None


@pytest.mark.parametrize('script, words', [
    ('dist_launch.sh', ['2', 'tool.py']), ('dist_train.sh', ['config.py', '2']),
    ('dist_test.sh', ['config.py', 'last.pth', '2']),
    ('slurm_train.sh', ['partition', 'job', 'config.py'])])
def test_the_scripts_hand_the_code_on(script, words, tmp_path):
    for name in ('python', 'srun'):
        (tmp_path / name).write_text('#!/bin/sh\nexit 70\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(['bash', ROOT / 'tools' / script, *words], env=dict(
        os.environ, PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        PYTHON=str(tmp_path / 'python')))
    assert done.returncode == 70


@pytest.mark.parametrize('failures, code', [
    ([(0, 1, 5)], 1), ([(0, 70, 6), (1, 1, 5)], 1), ([(0, -15, 5), (1, 70, 5)], 70),
    ([(0, 143, 4), (1, -9, 5)], 137), ([(0, 130, 5), (1, 130, 5)], 130)])
def test_processes_of_a_group_end_with_the_code_of_the_first_that_failed(failures, code):
    assert code_of_failures({rank: SimpleNamespace(exitcode=exitcode, timestamp=timestamp)
                             for rank, exitcode, timestamp in failures}) == code


FAILING = """
import os, sys
from mmtbps.commands.wording.user_errors import one_line_errors
from mmtbps.errors import BadValue
with one_line_errors():
    raise BadValue('no such color') if os.environ['RANK'] == sys.argv[1] else SystemExit
"""


@pytest.mark.slow
@pytest.mark.parametrize('rank', ['0', '1'])
def test_torchrun_hands_on_a_line_and_its_code(rank, tmp_path):
    (tmp_path / 'tool.py').write_text(FAILING)
    done = subprocess.run(
        ['bash', ROOT / 'tools/dist_launch.sh', '2', tmp_path / 'tool.py', rank],
        capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHON=sys.executable))
    assert done.returncode == 1
    assert 'error: no such color\n' in done.stderr and 'Traceback' not in done.stderr
