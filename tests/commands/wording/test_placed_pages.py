"""Pages that messages name are where the reader can open them."""

import pytest

from mmtbps.commands.wording import placed_pages
from mmtbps.commands.wording.placed_pages import place_pages
from mmtbps.commands.wording.user_errors import word_error
from mmtbps.config_file import read_config
from mmtbps.engine.preflight import find_missing


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with its pages, and an empty folder to work in."""
    package, work = tmp_path / 'site-packages/mmtbps', tmp_path / 'work'
    (package / '.mim/docs/guides').mkdir(parents=True)
    (package / '.mim/docs/guides/a.md').touch()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(placed_pages, '_PACKAGE', package)
    return package


def test_a_page_of_a_wheel_is_named_with_its_whole_path(package):
    there = f'{package}/.mim/docs/guides/a.md'
    assert place_pages('see docs/guides/a.md#weights, or docs/guides/a.md.') == (
        f'see {there}#weights, or {there}.')
    assert place_pages(place_pages('docs/guides/a.md')) == there


def test_a_page_of_a_source_tree_is_named_from_elsewhere(package):
    (package.parent / 'docs').mkdir()
    (package.parent / 'docs/faq.md').touch()
    assert place_pages('docs/faq.md') == f'{package.parent}/docs/faq.md'


def test_other_texts_stay(package, tmp_path):
    (tmp_path / 'work/docs/guides').mkdir(parents=True)
    (tmp_path / 'work/docs/guides/a.md').touch()  # a checkout is the current folder
    for text in ('docs/guides/a.md', 'docs/none.md', 'my/docs/guides/a.md', 'mydocs/guides/a.md',
                 'https://host/docs/guides/a.md'):
        assert place_pages(text) == text


def test_the_error_about_missing_weights_leads_to_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error, = [error for error in find_missing(read_config('own_data')) if 'weights' in str(error)]
    page = word_error(error).partition('#weights')[0].rpartition(' ')[2]
    assert 'mmtbps convert openai_clip weights/ViT-B-16.pt' in open(page, encoding='utf-8').read()
