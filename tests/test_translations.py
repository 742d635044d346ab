"""README in Chinese: the same structure, listings, pictures, numbers and links as in English."""

import re

import pytest
from doc_blocks import ROOT, blocks

ENGLISH, CHINESE = ROOT / 'README.md', ROOT / 'README_zh-CN.md'
#: The two languages link to each other.
EACH_OTHER = {'README.md', 'README_zh-CN.md'}


def structure(text):
    """Parts that a translation keeps: headings, lists and tables as such, and link targets."""
    prose = re.sub(r'^```.*?^```$', '', text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r'\]\(([^)\s]+)\)', prose)
    return dict(
        headings=re.findall(r'^#+ ', prose, re.MULTILINE),
        steps=re.findall(r'^\d\. ', prose, re.MULTILINE),
        columns=[line.count('|') for line in prose.splitlines() if line.startswith('|')],
        pictures=re.findall(r'!\[[^\]]*\]\(([^)]+)\)', prose),
        links=sorted({*targets} - EACH_OTHER),
        code=sorted({*re.findall(r'`[^`\n]+`', prose)}),
        scores=re.findall(r'\b\d+\.\d\d?\b(?= \|)', prose))


@pytest.mark.parametrize('kept', structure(''))
def test_the_translation_keeps(kept):
    texts = [structure(page.read_text('utf-8'))[kept] for page in (ENGLISH, CHINESE)]
    assert texts[0] and texts[0] == texts[1]


def test_listings_are_the_same():
    assert [block[:2] for block in blocks(ENGLISH)] == [block[:2] for block in blocks(CHINESE)]


def test_each_language_links_to_the_other():
    assert '(README_zh-CN.md)' in ENGLISH.read_text('utf-8')
    assert '(README.md)' in CHINESE.read_text('utf-8')


@pytest.mark.parametrize('english, chinese, kept', [
    ('## A\n## B', '## 甲', 'headings'), ('[a](x.md)', '[甲](y.md)', 'links'),
    ('| 1.5 | a |', '| 2.5 | 甲 |', 'scores'), ('| a | b |', '| 甲 |', 'columns')])
def test_the_comparison_can_fail(english, chinese, kept):
    assert structure(english)[kept] != structure(chinese)[kept]
