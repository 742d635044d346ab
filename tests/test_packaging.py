"""Agreement of all that is published: versions, extras, archives, files in the package."""

import re
import subprocess

import pytest
import yaml
from project_file import EXTRAS, PROJECT, PYPROJECT, ROOT, SHIPPED

from mmtbps.version import __version__

INSTALL = ROOT / 'docs/guides/install.md'
WORKFLOW = ROOT / '.github/workflows/tests.yml'
#: Files that name an extra in a command.
NAMING = [path for pattern in (
    '*.md', 'docs/**/*.md', 'projects/**/*.md', 'mmtbps/**/*.py', 'Makefile', '.ci/*',
    '.github/**/*.yml') for path in ROOT.glob(pattern) if '.mim' not in path.parts]


def disagreements(version, changelog, citation):
    """Say where versions differ.

    A version under development has its changes under "Unreleased", above all that were released; a
    released one is the first heading, with its day, which the citation has as well.
    """
    headings = re.findall(r'^## (.+)$', changelog, re.MULTILINE)
    released = [re.fullmatch(r'(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)', heading)
                for heading in headings[headings[0] == 'Unreleased':]]
    if not all(released):
        return ['a heading is no version with a day']
    numbers = [[int(part) for part in found[1].split('.')] for found in released]
    own = [int(part) for part in re.match(r'[\d.]+\d', version)[0].split('.')]
    wrong = [] if numbers == sorted(numbers, reverse=True) else ['versions are out of order']
    if str(citation['version']) != version:
        wrong.append('CITATION.cff has another version')
    if '.dev' in version:
        if headings[0] != 'Unreleased' or [own] <= numbers[:1]:
            wrong.append('a version under development is above all others, with "Unreleased"')
        return wrong + ['CITATION.cff has a day'] * ('date-released' in citation)
    if headings[0] != f'{version} - {citation.get("date-released")}':
        wrong.append('CHANGELOG.md and CITATION.cff do not have this version with one day')
    return wrong


def test_versions_agree():
    assert not disagreements(__version__, (ROOT / 'CHANGELOG.md').read_text('utf-8'),
                             yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8')))


@pytest.mark.parametrize('version, headings, citation, right', [
    ('0.2.0.dev0', ['Unreleased', '0.1.0 - 2026-11-21'], dict(version='0.2.0.dev0'), True),
    ('0.2.0', ['0.2.0 - 2027-01-02', '0.1.0 - 2026-11-21'],
     {'version': '0.2.0', 'date-released': '2027-01-02'}, True),
    ('0.10.0.dev0', ['Unreleased', '0.9.0 - 2026-11-21'], dict(version='0.10.0.dev0'), True),
    ('0.2.0', ['Unreleased', '0.1.0 - 2026-11-21'], dict(version='0.2.0'), False),
    ('0.1.0.dev0', ['Unreleased', '0.1.0 - 2026-11-21'], dict(version='0.1.0.dev0'), False),
    ('0.2.0.dev0', ['0.1.0 - 2026-11-21'], dict(version='0.2.0.dev0'), False),
    ('0.2.0.dev0', ['Unreleased', '0.1.0 - 2026-11-21'], dict(version='0.1.0'), False),
    ('0.2.0', ['0.2.0 - 2027-01-02'], {'version': '0.2.0', 'date-released': '2027-01-03'}, False),
    ('0.2.0', ['0.2.0 - soon'], {'version': '0.2.0', 'date-released': 'soon'}, False),
    ('0.3.0.dev0', ['Unreleased', '0.1.0 - 2026-01-01', '0.2.0 - 2026-02-02'],
     dict(version='0.3.0.dev0'), False),
])
def test_the_check_of_versions_can_fail(version, headings, citation, right):
    changelog = '\n'.join(f'## {heading}\n\n- A line.\n' for heading in headings)
    assert (not disagreements(version, changelog, citation)) is right


def test_the_guide_has_every_extra():
    """Each is the first word of a row, with the command that installs it."""
    rows = [line for line in INSTALL.read_text('utf-8').splitlines() if line.startswith('| `')]
    documented = {re.match(r'\| `([\w-]+)`', row)[1]: row for row in rows}
    assert set(documented) == set(EXTRAS)
    assert {name for name, row in documented.items()
            if f'pip install "mmtbps[{name}]"' not in row} == {'open-clip', 'dev'}


@pytest.mark.parametrize('path', NAMING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_extra_that_is_named_exists(path):
    assert unknown_extras(path.read_text('utf-8')) == []


def unknown_extras(text):
    """Extras of a text that the package does not have."""
    named = re.findall(r'(?:mmtbps|"\.|\.whl)\[([a-z, -]+)\]', text) + re.findall(
        r'^EXTRAS \?= (\S+)', text, re.MULTILINE)
    return [name for names in named for name in names.replace(' ', '').split(',')
            if name not in EXTRAS]


@pytest.mark.parametrize('text, unknown', [
    ('pip install "mmtbps[mm,nothing]"', ['nothing']), ('pip install -e ".[onedl,dev]"', []),
    ('EXTRAS ?= pdg,gone', ['gone']), ('"$wheel[mm]" mmtbps-1.whl[old]', ['old'])])
def test_the_check_of_extras_can_fail(text, unknown):
    assert unknown_extras(text) == unknown


def test_every_file_beside_the_code_is_in_the_package():
    named = {path for pattern in PYPROJECT['tool']['setuptools']['package-data']['mmtbps']
             for path in (ROOT / 'mmtbps').glob(pattern) if path.is_file()}
    there = {path for path in (ROOT / 'mmtbps').rglob('*') if path.is_file()
             and path.suffix not in ('.py', '.pyc') and '.mim' not in path.parts}
    assert there == named and ROOT / 'mmtbps/py.typed' in named


def test_the_source_archive_leaves_out_nothing_of_the_repository():
    if not (ROOT / '.git').exists():
        pytest.skip('no checkout')
    listed = subprocess.run(['git', '-c', f'safe.directory={ROOT}', 'ls-files'], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.splitlines()
    assert {name.partition('/')[0] for name in listed} - {*SHIPPED} == {'.gitignore'}
    assert not [name for name in SHIPPED if not (ROOT / name).exists()]


def workflow_faults(text):
    """Say what a workflow of tests lacks, or names that is not there."""
    jobs = yaml.safe_load(text)['jobs']
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text('utf-8'), re.MULTILINE))
    run = [step['run'] for job in jobs.values() for step in job['steps'] if 'run' in step]
    words = [word for line in run if line.startswith('make ') for word in line.split()[1:]
             if '=' not in word and word not in ('${{', '}}', 'matrix.stack')]
    wrong = [f'make {word}' for word in words if word not in targets]
    wrong += [path for line in run for path in re.findall(r'tests/\S+', line)
              if not (ROOT / path).exists()]
    wrong += [name for name in ('tests/test_docs.py', 'make test ', 'make docs', 'package')
              if not any(name in line.replace('install ', '') for line in run)]
    wrong += ['two families'] * (jobs['tests']['strategy']['matrix']['stack'] != ['mm', 'onedl'])
    return wrong + [name for name, job in jobs.items() if 'runs-on' not in job
                    or job['steps'][0].get('uses', '').split('@')[0] != 'actions/checkout']


def test_the_hosted_workflow_runs_what_is_there():
    assert workflow_faults(WORKFLOW.read_text('utf-8')) == []


@pytest.mark.parametrize('part, other, fault', [
    ('make test STACK', 'make tests STACK', 'make tests'),
    ('tests/test_docs.py', 'tests/test_document.py', 'tests/test_document.py'),
    ('stack: [mm, onedl]', 'stack: [mm]', 'two families'),
    ('    runs-on: ubuntu-latest\n', '', 'tests')])
def test_the_check_of_the_workflow_can_fail(part, other, fault):
    text = WORKFLOW.read_text('utf-8')
    assert part in text and fault in workflow_faults(text.replace(part, other))


def test_python_versions_agree():
    """Those that are promised are tested by the hosted workflow at both ends."""
    promised = [found[1] for name in PROJECT['classifiers'] if (
        found := re.fullmatch(r'Programming Language :: Python :: (3\.\d+)', name))]
    assert PROJECT['requires-python'] == f'>={promised[0]}'
    workflow = yaml.safe_load(WORKFLOW.read_text('utf-8'))
    tested = workflow['jobs']['tests']['strategy']['matrix']['python']
    assert tested == [promised[0], promised[-1]]
    assert PYPROJECT['tool']['ruff']['target-version'] == 'py' + promised[0].replace('.', '')
