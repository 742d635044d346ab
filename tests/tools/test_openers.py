"""The files of ``tools/``, each of which opens a command under its own name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmtbps.commands.wording.command_names import COMMANDS

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
OPENERS = {path.relative_to(TOOLS).with_suffix('').as_posix(): path for path in TOOLS.rglob('*.py')
           if 'partial(run_tool' in path.read_text('utf-8')}


def call(path, *words):
    """Run a file in a process of its own."""
    return subprocess.run([sys.executable, path, *words], capture_output=True, text=True,
                          encoding='utf-8', env={**os.environ, 'PYTHONPATH': str(TOOLS.parent)})


def test_every_command_has_a_tool_of_few_lines():
    for command in COMMANDS.values():
        assert command.tool is None or (TOOLS / f'{command.tool}.py').is_file(), command
    for name, path in OPENERS.items():
        text = path.read_text('utf-8')
        assert text.count('\n') < 16 and f"partial(run_tool, '{name}')" in text


def test_help_names_the_tool():
    done = call(TOOLS / 'models.py', '--help')
    assert done.returncode == 0 and done.stdout.startswith('usage: models.py ')
    assert '\n    python tools/models.py person\n' in done.stdout and 'mmtbps' not in done.stdout


@pytest.mark.parametrize('words, code', [(['--jsn'], 2), (['person', '--json'], 0)])
def test_exit_codes_are_those_of_the_command(words, code):
    done = call(TOOLS / 'models.py', *words)
    assert done.returncode == code
    assert code == 0 or re.search('^models.py: error: unrecognized arguments: --jsn;', done.stderr,
                                  re.MULTILINE)
