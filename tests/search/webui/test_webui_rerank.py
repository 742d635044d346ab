"""The page with a second stage, in a real browser: sentences are judged twice, pictures once."""

import re

import numpy as np
import pytest
import torch
from webui_rig import ask, open_page, people

from mmtbps.search import HitReranker


class Darkness:
    """A second stage that prefers dark pictures, whatever was asked."""

    def match(self, texts, images, places):
        return torch.tensor([-float(np.asarray(image, np.float32).mean()) for image in images]
                            )[places]


@pytest.fixture
def tab(browser, tmp_path):
    """A tab on a page whose second stage sees four pictures."""
    with open_page(tmp_path, reranker=HitReranker(Darkness(), k=4)) as page:
        context = browser.new_context(viewport=dict(width=1280, height=900))
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.page, opened.errors = page, []
        opened.on('pageerror', lambda error: opened.errors.append(str(error)))
        opened.goto(page.url)
        opened.wait_for_selector('#ask textarea')
        yield opened
        assert not opened.errors
        context.close()


def scores(tab):
    """Read below each card the match of the second stage, where there is one."""
    texts = tab.eval_on_selector_all('.card .line i', 'all => all.map(one => one.innerText)')
    found = [re.fullmatch(r'-?\d\.\d{3}(?: \(.*\))?(?:, match (-?\d+\.\d\d))?', text)
             for text in texts]
    return [match[1] and float(match[1]) for match in found]


def test_a_visit_with_a_second_stage(tab):
    first = tab.page.searcher
    plain, = type(first)(first.encoder, gallery=first.gallery)('red coat, blue trousers')
    before = [hit.entry.id for hit in plain.hits]

    ask(tab, 'red coat, blue trousers')
    matches = scores(tab)
    assert matches[:4] == sorted(matches[:4], reverse=True) and matches[4:] == [None, None]
    assert sorted(people(tab)[:4]) == sorted(before[:4]) and people(tab)[4:] == before[4:]

    (tab.page.images / f'crops/{before[0]}.png').write_bytes(b'none')  # broken by now
    ask(tab, 'a red coat and blue trousers')
    assert people(tab)[3] == before[0] and scores(tab)[3:] == [None] * 3
    assert None not in scores(tab)[:3]

    tab.click(f'.card[data-pick={people(tab)[1]}]')
    tab.click('#more')
    tab.wait_for_selector('.people h2:has-text("People like")')
    assert scores(tab) == [None] * 5
