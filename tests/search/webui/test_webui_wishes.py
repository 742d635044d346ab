"""Marks of phrases on the page, what must hold, and marks of right and wrong."""

import re
from dataclasses import replace
from html import unescape

import pytest
from fakes import ColorEncoder
from webui_rig import fill

from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui.service import SearchService
from mmtbps.search.webui.views import Question, answer


@pytest.fixture
def service(tmp_path):
    gallery = fill(tmp_path / 'images', tmp_path / 'gallery')
    images = tmp_path / 'images'
    return SearchService(TextToPersonInferencer(ColorEncoder(), gallery=gallery, images=images),
                         images)


def test_phrases_are_marked_and_what_must_hold_orders(service):
    html, _, _ = answer(service, Question('blue coat', must='red coat, no hat', count=6), [])
    assert html.count(' red coat</span>') == html.count(' no hat</span>') == 6
    assert '✗ red coat</span>' in html and 'red coat: no' in html
    assert html.index('data-pick="red-') < html.index('data-pick="white-green"')
    assert 'marks by label-free bounds' in html and 'must: red coat, no hat' in html
    refused, _, _ = answer(service, Question('blue coat', must='kurta'), [])
    assert 'cannot be checked' in refused


def test_phrases_are_weighed_on_request(service):
    question = Question('a green coat, red trousers and a white hat', count=6)
    plain, asked, _ = answer(service, question, [])
    weighed, _, history = answer(service, replace(question, weigh=True), asked)
    by_hand, = service.inferencer(question.text, topk=6, weigh=1)
    order = re.findall(r'data-pick="([^"]+)"', weighed)
    assert order[:6] == [hit.entry.id for hit in by_hand.hits]
    assert order != re.findall(r'data-pick="([^"]+)"', plain)
    assert 'each phrase weighed' in weighed and 'each phrase weighed' in history
    assert 'each phrase weighed' not in plain
    said = 'not in the scores: "green coat", "red trousers", "white hat"'
    assert said in unescape(weighed) and 'not in the scores' not in plain


def test_people_like_one_of_the_gallery_are_found_without_wishes(service):
    """Filters are said, and no wish that was not heeded."""
    question = Question('blue coat', person='red-blue', name='red-blue.png', cameras=('c1', 'c2'),
                        must='red coat', weigh=True, count=6).marked('red-black', right=False)
    html, _, history = answer(service, question, [])
    assert question.filters == 'camera c1, c2' and 'weighed' not in html + history
    assert replace(question, person=None).filters == (
        'camera c1, c2 · must: red coat · each phrase weighed · 1 marked wrong')
    assert replace(question, person=None, text=' ').filters == (
        'camera c1, c2 · must: red coat · 1 marked wrong')


def test_marks_of_right_and_wrong_ask_anew(service):
    question = Question('red coat', count=6).marked('red-blue', right=False)
    html, _, history = answer(service, question, [])
    assert 'data-pick="red-blue"' not in html and '1 marked wrong' in history
    again = question.marked('red-blue', right=True).marked('red-black', right=False)
    assert (again.like, again.unlike) == (('red-blue',), ('red-black',))
    html, _, _ = answer(service, again, [])
    assert 'data-pick="red-blue"' in html and 'data-pick="red-black"' not in html
