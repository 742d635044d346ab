"""Forks of a server of libraries behave as processes that Python starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forked_processes import Tool, run_tool

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
import atexit, os, sys
atexit.register(print, 'the end')
print(sys.argv[1:], os.getcwd(), os.environ.get('WORD'), __name__, os.path.dirname(sys.path[0]))
print([place for place in sys.path if os.path.basename(place) == 'tests'])
print(repr(sys.stdin.read()), file=sys.stderr)
{end}
"""
ENDS = {'nothing': 'pass', 'code': 'sys.exit(3)', 'words': 'sys.exit("no")', 'fault': '1 / 0'}


@pytest.mark.parametrize('end', ENDS)
def test_a_tool_is_as_one_that_python_starts(tmp_path, end):
    script = tmp_path / 'tool.py'
    script.write_text(SCRIPT.format(end=ENDS[end]))
    (tmp_path / 'elsewhere').mkdir()
    process = dict(cwd=tmp_path / 'elsewhere', env=dict(PYTHONPATH=str(ROOT), WORD='a b'))
    forked = run_tool([script, '--to', 7], **process)
    started = subprocess.run([sys.executable, script, '--to', '7'], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, **process)
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stderr.splitlines()[0] == started.stderr.splitlines()[0]
    assert forked.stderr.splitlines()[-1] == started.stderr.splitlines()[-1]
    assert 'the end' in forked.stdout and '[]' in forked.stdout


def test_a_module_runs_where_it_is_asked_to(tmp_path):
    (tmp_path / 'there.py').write_text('print(__name__, __file__)')
    assert run_tool(['-m', 'there'], cwd=tmp_path).stdout == f'__main__ {tmp_path}/there.py\n'


def test_the_libraries_are_there_and_none_of_our_parts(tmp_path):
    (tmp_path / 'tool.py').write_text(
        'import sys\n'
        'print(*{"torch", "mmengine.runner", "mmpretrain.models"} & set(sys.modules))\n'
        'print(*[name for name in sys.modules if name.startswith("mmtbps.") and\n'
        '        name.split(".")[1] not in ("compat", "errors", "fileio", "moved", "stack",\n'
        '                                   "torchvision_stub", "version")])')
    libraries, ours = run_tool([tmp_path / 'tool.py']).stdout.split('\n')[:2]
    assert {'torch', 'mmengine.runner'} <= {*libraries.split()} and not ours


def test_a_tool_that_runs_is_read_and_killed(tmp_path):
    (tmp_path / 'tool.py').write_text('import time\nprint("at work", flush=True)\ntime.sleep(600)')
    tool = Tool([tmp_path / 'tool.py'])
    assert tool.stdout.readline() == 'at work\n' and tool.returncode is None
    os.kill(tool.pid, 0)
    tool.kill()
    assert tool.communicate() == ('', '') and tool.returncode == -signal.SIGKILL


def test_a_tool_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / 'tool.py').write_text('import time\ntime.sleep(600)')
    tool = Tool([tmp_path / 'tool.py'])
    tool.communicate(timeout=.1)
    assert tool.returncode == -signal.SIGKILL
