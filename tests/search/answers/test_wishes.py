"""Answers ordered by what must hold, without what was marked wrong, near what was marked right."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.search.answers import Wishes
from mmtbps.search.results import SearchResult

NAMES = ('red', 'blue', 'green', 'red-blue', 'blue-red', 'black')


def _names(result):
    return [hit.entry.path.removesuffix('.png') for hit in result.hits]


def _id(searcher, name):
    return next(entry.id for entry in searcher.gallery.entries() if entry.path == f'{name}.png')


def test_what_must_hold_orders(searcher):
    plain, = searcher('blue trousers', topk=6)
    wished, = searcher('blue trousers', topk=6, must=['red coat'])
    assert _names(plain)[0] == 'blue' and _names(wished)[0] in ('red', 'red-blue', 'blue-red')
    marks = [hit.marks[0]['mark'] for hit in wished.hits]
    places = dict(yes=0, unsure=1, no=2)
    assert [places[mark] for mark in marks] == sorted(places[mark] for mark in marks)
    assert sorted(_names(wished)) == sorted(NAMES)  # nobody is lost
    by_mark = {name: hit.marks[0]['mark'] for name, hit in zip(_names(wished), wished.hits,
                                                               strict=True)}
    # Within a mark the order is that of the scores.
    for mark in ('yes', 'unsure', 'no'):
        kept = [name for name in _names(wished) if by_mark[name] == mark]
        assert kept == [name for name in _names(plain) if name in kept]


def test_a_denial_excludes_instead_of_asking_for_it(searcher):
    result, = searcher('a person in a red coat, not wearing blue trousers', topk=3)
    assert 'blue' not in _names(result) and _names(result)[0] == 'red'
    assert {mark['phrase'] for hit in result.hits for mark in hit.marks} == {'no blue trousers'}
    denied, = searcher('no red coat', topk=2)
    assert 'red' not in _names(denied) and denied.query == 'no red coat'


def test_what_only_denies_moves_away_from_it(searcher):
    """Of "a person" the first hits have what most people have, and no others are ordered."""
    result, = searcher('a person without a red coat', topk=6)
    phrase, = searcher.checker.phrases('no red coat')
    person, = searcher.encoder.encode_texts(['a person'])
    own, *others = searcher.checker.vectors(phrase)
    moved = person - own + sum(others) / len(others)
    _, vectors = searcher.gallery.get([hit.entry.id for hit in result.hits])
    expected = vectors @ (moved / np.linalg.norm(moved))
    np.testing.assert_allclose([hit.score for hit in result.hits], expected, atol=1e-5)
    for sentence in ('a person in blue trousers, no red coat', 'a tall person without a red coat',
                     'a person without a red hat'):  # away from which are those with other hats
        result, = searcher(sentence, topk=6)
        _, vectors = searcher.gallery.get([hit.entry.id for hit in result.hits])
        query, = searcher.encoder.encode_texts([Wishes.affirmed(sentence)])
        np.testing.assert_allclose([hit.score for hit in result.hits], vectors @ query, atol=1e-5)


@pytest.mark.parametrize(('sentence', 'encoded', 'unchecked'), [
    ('a man in a red coat, no shoes', 'a man in a red coat', 'no shoes'),
    ('red coat, no logo trousers', 'red coat', 'no logo trousers'),
    ('red coat, no large bag', 'red coat', 'no large bag')])
def test_what_is_denied_and_cannot_be_checked_is_neither_looked_for_nor_excluded(
        searcher, sentence, encoded, unchecked):
    result, = searcher(sentence, topk=6, mark=True)
    plain, = searcher(encoded, topk=6)
    assert _names(result) == _names(plain) and unchecked in result.unchecked
    assert unchecked not in {mark['phrase'] for hit in result.hits for mark in hit.marks}


def test_an_answer_is_as_before_where_nothing_is_denied(searcher):
    result, = searcher('red coat, blue trousers', topk=3)
    assert _names(result)[0] == 'red-blue'
    assert 'marks' not in result.hits[0] and 'marked_by' not in result.to_json()


def test_all_phrases_are_marked_on_request_without_another_order(searcher):
    plain, = searcher('a tall man in a red coat', topk=6)
    marked, = searcher('a tall man in a red coat', topk=6, mark=True)
    assert _names(plain) == _names(marked)
    assert [mark['phrase'] for mark in marked.hits[0].marks] == ['man', 'red coat']
    assert (marked.unchecked, marked.marked_by) == (('tall',), 'label-free')
    assert SearchResult.from_json(marked.to_json()) == marked
    assert SearchResult.from_json(marked.to_json()).hits[0].marks == marked.hits[0].marks
    unread, = searcher('a kurta', topk=1, mark=True)
    assert unread.unchecked == ('kurta',) and unread.hits[0].marks == ()


def test_marks_of_right_and_wrong_move_the_query(searcher):
    plain, = searcher('red coat', topk=6)
    assert _names(plain)[0] == 'red'
    moved, = searcher('red coat', topk=6, like=_id(searcher, 'blue'),
                      unlike=[_id(searcher, 'red')])
    assert 'red' not in _names(moved) and len(moved.hits) == 5
    scores = [dict(zip(_names(result), [hit.score for hit in result.hits], strict=True))
              for result in (plain, moved)]
    assert scores[1]['blue'] > scores[0]['blue']
    _, vectors = searcher.gallery.get([_id(searcher, 'blue'), _id(searcher, 'red')])
    query = searcher.encoder.encode_texts(['red coat'])[0] + .25 * vectors[0] - .25 * vectors[1]
    assert scores[1]['blue'] == pytest.approx(
        float(vectors[0] @ query / np.linalg.norm(query)), abs=1e-5)


def test_a_picture_may_have_wishes(searcher, tmp_path):
    picture = tmp_path / 'crops/blue.png'
    alone, = searcher.search_image(picture, topk=6, must=['red coat'])
    assert _names(alone)[0] in ('red', 'red-blue', 'blue-red') and alone.hits[0].marks
    both, = searcher.search_image(picture, topk=2, texts='no blue coat', image_weight=.1)
    assert 'blue' not in _names(both)


@pytest.mark.parametrize(('wishes', 'message'), [
    (dict(must=['kurta']), "'kurta' cannot be checked"), (dict(must=['']), 'cannot be checked'),
    (dict(must='shoes'), 'cannot be checked'),
    (dict(like=['a', 'b'], unlike=['b']), "'b' is marked right and wrong")])
def test_wishes_that_say_nothing_are_refused(wishes, message):
    with pytest.raises(BadValue, match=message):
        Wishes.of(**wishes)


def test_an_unknown_entry_is_refused(searcher):
    with pytest.raises(KeyError, match='has no entry'):
        searcher('red coat', like=['nobody'])


@pytest.mark.parametrize(('sentence', 'encoded'), [
    ('a red, not blue, coat', 'a red coat'), ('a woman, not a man, in red', 'a woman in red'),
    ('no shoes', 'a person'), ('two men in red', 'two men in red'), ('red coat', 'red coat')])
def test_no_encoder_hears_what_is_not_meant(sentence, encoded):
    assert Wishes.affirmed(sentence) == encoded


def test_who_is_not_meant_is_not_searched():
    with pytest.raises(BadValue, match="'not the man in red' tells what somebody wears"):
        Wishes.affirmed('not the man in red')
