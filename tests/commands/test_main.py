"""``mmtbps COMMAND``, and that what it says names the command or the tool that was typed."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mmtbps.catalog import list_models
from mmtbps.commands.main import main, parse_name, read_words
from mmtbps.commands.wording.command_names import COMMANDS, as_typed
from mmtbps.version import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command as a process of its own would; gives what it printed and its exit code."""
    def command(*words):
        monkeypatch.setattr(sys, 'argv', ['/bin/mmtbps', *words])
        monkeypatch.setattr(sys, 'path', [*sys.path])
        monkeypatch.setitem(sys.modules, '__main__', sys.modules['__main__'])
        code = 0
        try:
            code = main() or 0
        except SystemExit as stop:
            code = stop.code
        return capsys.readouterr(), code

    return command


def test_a_command_runs(run):
    printed, code = run('models', 'person', '--json')
    assert code == 0
    assert [row['title'] for row in json.loads(printed.out)] == [
        model.title for model in list_models('person')]
    assert run('models', 'person')[0].out.startswith('Person models: mmtbps convert NAME FOLDER')


def test_a_verb_of_search_is_a_command_of_its_own(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed, code = run('query', 'my people', 'a man')
    assert code == 1
    assert re.search(r"error: my people: .*: mmtbps index 'my people' IMAGES ", printed.err)


def examples(text):
    """Command lines in a help, by the command of each; a line that ends in a backslash goes on."""
    lines = re.findall(r'^ {4}(?:torchrun .* -m )?mmtbps ((?:.*\\\n)*.*)', text, re.MULTILINE)
    return [shlex.split(re.split(' {2,}#|[>;|] ', line)[0].replace('\\\n', ' '))
            for line in lines]


@pytest.mark.parametrize('name', COMMANDS)
def test_the_examples_in_its_help_are_command_lines_that_it_reads(name, run):
    printed, code = run(name, '--help')
    assert code == 0 and re.match(rf'usage: mmtbps {name}\s', printed.out)
    assert 'tools/' not in printed.out
    found = examples(printed.out)
    assert name in [words[0] for words in found]
    for other, *words in found:
        read_words(other, words)


def test_help_version_and_mistakes_of_the_command_itself(capsys):
    for words, said, code in ((['--help'], 'convert published checkpoints', 0),
                              (['--version'], f'mmtbps {__version__}\n', 0),
                              ([], 'required: COMMAND', 2), (['serach'], 'invalid choice', 2)):
        with pytest.raises(SystemExit) as stop:
            parse_name(words)
        printed = capsys.readouterr()
        assert said in printed.out + printed.err and stop.value.code == code


@pytest.mark.parametrize('words, meant', [
    (['serv'], 'serve'), (['quary', 'people', 'a man'], 'query'), (['xyz'], None),
    (['info', 'people', '--jsn'], '--json'), (['query', 'people', 'a man', '--topp=3'], '--topk'),
    (['query', 'people', 'a man', '--group', 'tracks'], 'track'),
    (['generate', 'plann', 'CONFIG'], 'plan'), (['generate', 'plan', 'C', '--chekc'], '--check'),
    (['models', 'persons'], 'person'), (['models', '--unheard-of'], None)])
def test_a_slip_gets_a_suggestion(words, meant, run):
    printed, code = run(*words)
    line = printed.err.splitlines()[-1]
    assert code == 2 and printed.out == ''
    assert line.endswith(f'; did you mean {meant}?') if meant else 'did you mean' not in line


@pytest.mark.parametrize('started, text, worded', [
    ('/bin/mmtbps', 'mmtbps index a.lance crops', 'mmtbps index a.lance crops'),
    ('mmtbps/__main__.py', 'see mmtbps export CONFIG', 'see mmtbps export CONFIG'),
    ('/home/tools/search.py', 'mmtbps index a.lance crops',
     'python tools/search.py index a.lance crops'),
    ('train.py', 'no pairs; make them by: mmtbps generate merge CONFIG',
     'no pairs; make them by: python tools/generate.py merge CONFIG'),
    ('test.py', 'a folder of mmtbps export, or a name', 'a folder of tools/export.py, or a name'),
    ('test.py', 'Examples:\n    mmtbps test CONFIG', 'Examples:\n    python tools/test.py CONFIG'),
    ('test.py', "sbatch --wrap 'mmtbps generate run C'",
     "sbatch --wrap 'python tools/generate.py run C'"),
    ('test.py', 'torchrun -m mmtbps generate run C', 'torchrun tools/generate.py run C'),
    ('test.py', 'a help, of mmtbps\n    extract-features', 'a help, of tools/extract_features.py'),
    ('test.py', 'mmtbps draw-all; mmtbps drawn; mmtbps nothing',
     'mmtbps draw-all; mmtbps drawn; mmtbps nothing'),
])
def test_texts_name_what_was_typed(started, text, worded, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [started])
    assert as_typed(text) == worded


def test_no_text_of_a_command_names_a_tool():
    """They name commands, of which `as_typed` makes tools where one was typed."""
    folder = ROOT / 'mmtbps/commands'
    named = [f'{path.name}: {match[0]}' for path in folder.rglob('*.py')
             for match in re.finditer(r'tools/\w+\.py', path.read_text('utf-8'))]
    assert set(named) == {'command_names.py: tools/search.py'}  # of an example


def test_a_command_imports_its_own_module_alone():
    """Help and what looks at a gallery import no torch either."""
    def imported(*words):
        code = ('import sys\nfrom mmtbps.commands.main import main\n'
                'try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n'
                'print(*sys.modules, file=sys.stderr)')
        done = subprocess.run([sys.executable, '-c', code, *words], capture_output=True, text=True,
                              env={**os.environ, 'PYTHONPATH': str(ROOT)})
        return {*done.stderr.split()}

    modules = {name: f'mmtbps.commands.{name.replace("-", "_")}' for name in COMMANDS}
    for words in (['--help'], ['info', '--help'], ['models', '--json'], ['draw', '--help']):
        found = imported(*words)
        assert 'mmtbps.commands.main' in found and 'torch' not in found, words
        assert [name for name, module in modules.items() if module in found] == [
            word for word in words[:1] if word in COMMANDS]


@pytest.mark.parametrize('words', [
    ['-m', 'mmtbps', 'train', 'x.py'], ['-m', 'mmtbps', 'test', 'x.py', 'x.pth'],
    ['-m', 'mmtbps', 'check-data', 'x.py'], ['-m', 'mmtbps', 'convert', 'irra', 'x', 'y'],
    ['tools/analysis/get_flops.py', 'x.py']], ids=' '.join)
@pytest.mark.parametrize('stack', ['an old torch', 'none'])
def test_a_stack_that_will_not_do_is_one_line(words, stack, tmp_path):
    """Whatever a command imports first; a build of one's own on the path has no metadata."""
    if stack == 'none':
        (tmp_path / 'sitecustomize.py').write_text(
            'import sys\nsys.modules.update(dict.fromkeys(["torch", "mmengine", "mmcv"]))\n')
        said = 'mmtbps needs torch, mmengine, mmcv. Install torch first, then the OpenMMLab stack'
    else:
        (tmp_path / 'torch').mkdir()
        (tmp_path / 'torch/__init__.py').write_text("__version__ = '2.4.0'\n")
        said = 'mmtbps needs torch 2.5 or later (2.4.0 is installed): pip install -U "torch>=2.5"'
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)])})
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith(f'error: {said}') and done.stderr.count('\n') == 1


def test_the_documentation_names_every_command():
    page = (ROOT / 'docs/get_started.md').read_text('utf-8')
    table = page[page.index('## The command'):page.index('## The demo')]
    left = [line.split('|')[1] for line in table.splitlines() if line.startswith('| `mmtbps')]
    assert set(re.findall(r'`(?:mmtbps )?([a-z-]+)`', ''.join(left))) == set(COMMANDS)
