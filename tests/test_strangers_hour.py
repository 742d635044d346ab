"""The log of a stranger's hour: each command of the tutorials is in it, as it was done."""

import re
import runpy
import sys

import pytest
from doc_blocks import ROOT, blocks

PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs/tutorials').glob('*_*.md'))]
LOG = ROOT / 'docs/tutorials/strangers_hour.md'
PAGES.remove(LOG)
RECORDER = runpy.run_path(str(ROOT / 'docs/record_hour.py'))


def lines_of(page):
    """Commands of a page; of the README those that search photographs."""
    listings = [block.code for block in blocks(page) if block.language == 'bash']
    return [line for code in listings[:1 if page.name == 'README.md' else None]
            for line in code.splitlines()]


def test_what_is_done_in_another_form_stands_on_a_page():
    lines = {line for page in PAGES for line in lines_of(page)}
    assert len(PAGES) == 5 and set(RECORDER['INSTEAD']) <= lines


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_each_command_is_in_the_log_with_its_end(page):
    """Or it is named as one that was not recorded."""
    log = LOG.read_text('utf-8')
    assert log.count('\n$ ') == log.count(' s, exit ') > 30
    missing = []
    for line in lines_of(page):
        done = RECORDER['INSTEAD'].get(line, (line, None))[0].replace(
            'WHEEL', 'mmtbps-0.2.0.dev0-py3-none-any.whl')
        there = f'\n$ {done}\n' in log or f'\n- `{line}`\n' in log
        missing += [] if there else [done]
    assert not missing


def test_each_command_of_the_log_ended_as_it_should():
    ends = re.findall(r'\n\$ (.*)\n(?:.*\n)*?```\n\n?\*\d+ s, exit (\d+)', LOG.read_text('utf-8'))
    assert len(ends) > 30
    assert not [end for end in ends if int(end[1]) != RECORDER['should_end'](end[0])]


def test_long_output_is_shortened_and_a_training_keeps_its_epochs():
    shorten = RECORDER['shorten']
    assert shorten('a\x1b[1mb\n\n10%\r100%\n') == ['ab', '100%']
    assert shorten('\n'.join(map(str, range(40)))) == [
        *map(str, range(7)), '...', *map(str, range(33, 40))]
    training = ['1 - mmengine - INFO - x'] * 80 + ['1 - mmengine - INFO - Epoch(val) [1]  R1: 5']
    assert shorten('\n'.join(training)) == ['...', training[-1]]
    assert shorten('Collecting a\nSuccessfully installed a-1\n') == [
        '...\nSuccessfully installed a-1 ...']


def test_the_recorder_needs_nothing_but_python():
    modules = {value.__name__ for value in RECORDER.values() if type(value) is type(sys)}
    assert 'subprocess' in modules and {name.partition('.')[0] for name in modules
                                        } <= set(sys.stdlib_module_names)
