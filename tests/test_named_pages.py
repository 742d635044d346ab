"""Pages that messages name have what the messages promise."""

import ast
import re
import shlex

import pytest
from doc_blocks import ROOT, blocks
from mmengine.config import Config
from source_tree import SOURCES
from test_docs import anchors

from mmtbps.engine.preflight import find_missing
from mmtbps.errors import MissingFile
from mmtbps.models.converters.source import read_source

PAGE = re.compile(r'(docs/[\w/]+\.md)(?:#([\w-]+))?')
GUIDE = ROOT / 'docs/guides/prepare_data.md'
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if 'drawn' not in path.stem
                 and path.parent.name not in ('_base_', 'generation')
                 and path.stem != 'clip_b16_itc_mals_cuhk')  # starts from a run of another config


def named_pages(source):
    """Pages and anchors in the texts of a source, those that stand in several parts too."""
    return {match.groups() for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            for match in PAGE.finditer(node.value)}


def missing_pages(pages):
    return [f'{page}#{anchor or ""}' for page, anchor in sorted(pages, key=str)
            if not (ROOT / page).is_file()
            or anchor and anchor not in anchors((ROOT / page).read_text('utf-8'))]


def test_pages_and_headings_that_messages_name_are_there():
    pages = set().union(*(named_pages(path.read_text('utf-8')) for path in SOURCES))
    assert ('docs/guides/prepare_data.md', 'weights') in pages and len(pages) > 5
    assert not missing_pages(pages)


def test_the_check_of_named_pages_can_fail():
    text = "raise ValueError('x: see docs/guides/prepare_data.md' '#nothing or docs/no.md')"
    missing = missing_pages(named_pages(text))
    assert missing == ['docs/guides/prepare_data.md#nothing', 'docs/no.md#']


def fetching_commands():
    """Commands of the section of weights, in words."""
    text = GUIDE.read_text('utf-8')
    first = text.count('\n', 0, text.index('## Weights')) + 1
    return [shlex.split(line) for block in blocks(GUIDE)
            if block.language == 'bash' and block.line > first for line in block.code.splitlines()]


def written_by(command):
    """Return the path that a command writes."""
    if command[0] == 'mmtbps':
        return command[-1]
    return command[command.index('--local-dir' if command[0] == 'hf' else '-o') + 1]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_weight_of_a_config_has_a_command_that_fetches_it(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = [str(error) for error in find_missing(Config.fromfile(path))]
    weights = {text.partition(':')[0] for text in missing if text.startswith('./weights/')}
    pages = {page for text in missing if text.startswith('./weights/')
             for page in PAGE.findall(text)}
    assert weights and ('docs/guides/prepare_data.md', 'weights') in pages
    # Files that a person has to fetch by hand: the README beside the config converts them.
    by_hand = re.findall(r'^mmtbps convert \S+ \S+ (weights/\S+)',
                         path.with_name('README.md').read_text('utf-8'), re.MULTILINE)
    assert weights <= {f'./{written_by(command)}' for command in fetching_commands()
                       if command[0] != 'sha256sum'} | {f'./{name}' for name in by_hand}


def test_a_source_that_is_not_there_names_the_same_page(tmp_path):
    with pytest.raises(MissingFile, match='docs/guides/prepare_data.md#weights'):
        read_source(str(tmp_path / 'no.pth'))


def test_what_is_converted_was_fetched_by_the_command_before():
    commands = [command for command in fetching_commands() if command[0] != 'sha256sum']
    conversions = [i for i, command in enumerate(commands) if command[0] == 'mmtbps']
    assert len(conversions) == 3
    for i in conversions:
        assert commands[i][3] == written_by(commands[i - 1])
