"""Shell completion: the shells themselves complete what is printed for them, where they are."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmtbps.commands.completion import build_whole_parser, complete_files
from mmtbps.commands.main import run_command
from mmtbps.commands.wording.command_names import COMMANDS


@pytest.fixture(scope='module')
def parser():
    return build_whole_parser()


def test_it_knows_every_command_and_its_options(parser):
    commands = parser._subparsers._group_actions[0].choices
    assert list(commands) == list(COMMANDS)
    options = {name: inner._option_string_actions for name, inner in commands.items()}
    assert '--resume' in options['train'] and '--where' in options['query']
    verbs = commands['generate']._subparsers._group_actions[0].choices
    assert '--weight-floor' in verbs['merge']._option_string_actions


def test_words_that_may_be_files_are_completed_as_files(parser):
    complete_files(parser, SimpleNamespace(FILE='file'))
    index = parser._subparsers._group_actions[0].choices['index']
    assert {action.dest: getattr(action, 'complete', None) for action in index._actions
            if action.dest in ('source', 'metadata', 'workers', 'prune', 'aspect')} == dict(
        source='file', metadata='file', workers=None, prune=None, aspect=None)


def test_without_the_library_it_is_one_line(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, 'shtab', None)
    with refused(r'completion needs the package shtab: pip install "mmtbps\[completion\]"'):
        run_command('completion', ['bash'])


@pytest.fixture
def complete(tmp_path, capsys):
    """A function that asks a shell for what may follow some words; gives the candidates."""
    pytest.importorskip('shtab')

    def ask(shell, script):
        if (program := shutil.which(shell)) is None:
            pytest.skip(f'no {shell} is on the PATH')
        run_command('completion', [shell])
        (tmp_path / 'completion').write_text(capsys.readouterr().out, 'utf-8')
        (tmp_path / 'script').write_text(script, 'utf-8')
        (tmp_path / 'config.py').touch()
        done = subprocess.run([program, 'script'], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, '')
        return done.stdout.splitlines()

    return ask


ASKED = {'que': 'query', 'query --js': '--json', 'generate pl': 'plan',
         'convert openai': 'openai_clip', 'query --group ': 'track photograph',
         'draw-b': 'draw-balanced'}


def test_bash_completes(complete):
    script = """source ./completion
    asked() {
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_mmtbps; echo "${COMPREPLY[@]}"
    }
    """ + '\n'.join(f'asked mmtbps {words}' + ('""' if words.endswith(' ') else '')
                    for words in [*ASKED, 'train con'])
    assert complete('bash', script) == [*ASKED.values(), 'config.py']


def test_fish_completes(complete):
    script = 'source ./completion\n' + '\n'.join(
        f"complete -C 'mmtbps {words}' | string split -f 1 \\t | string join ' '"
        for words in ASKED) + '\nexit 0'
    assert complete('fish', script) == [*ASKED.values()]


def test_zsh_reads_it(complete):
    assert complete('zsh', 'zsh -n ./completion && head -n 1 completion') == ['#compdef mmtbps']
