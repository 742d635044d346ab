"""Filters of the page that can choose nobody."""

import pytest
from fakes import ColorEncoder, paint_folder

from mmtbps.errors import BadValue
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui.service import SearchService
from mmtbps.search.webui.views import Question, answer


@pytest.mark.parametrize('question', [
    Question('red', cameras=('c1', 'c2')), Question('red', track='t1'),
    Question('red', since='2024-01-01')])
def test_a_filter_of_what_no_entry_has_says_so(question, tmp_path):
    """As the commands and Python do: nobody was left out for another value."""
    paint_folder(tmp_path / 'imgs', 'red')
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'people')
    searcher.index(tmp_path / 'imgs', progress=False)
    html, asked, _ = answer(SearchService(searcher, tmp_path / 'imgs'), question, [])
    said = f'no entry of {tmp_path}/people has a '
    assert said in html and 'Nobody found' not in html and not asked
    key = {('c1', 'c2'): 'camera', (): 'track' if question.track else 'time'}[question.cameras]
    where = {'camera': ['c1', 'c2'], 'track': 't1', 'time': ('2024-01-01', None)}[key]
    with pytest.raises(BadValue, match=f'{said}{key}'):
        searcher('red', where={key: where})
