"""Answers ordered by the sentence and by each of its phrases against the opposites."""

import math

import numpy as np
import pytest
from fakes import ColorEncoder, paint_folder

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.evidence import gallery_moments
from mmtbps.search.answers import PhraseChecker, Wishes, find_statistics
from mmtbps.search.answers.checked_hits import reach_of
from mmtbps.search.answers.phrase_weights import (
    log_shares,
    phrases_to_weigh,
    score_spreads,
    weighed_scores,
)
from mmtbps.search.result_files import results_html
from mmtbps.search.results import SearchResult

NAMES = ('red', 'blue', 'green', 'red-blue', 'blue-red', 'black', 'red-green', 'yellow-red',
         'white-blue', 'orange', 'purple-blue')
SENTENCE = 'yellow shirt, red trousers and a blue hat'


def _share(scores, spread):
    """The share of the first of a few numbers, one exponential at a time."""
    return math.log(math.exp(scores[0] / (.3 * spread))
                    / sum(math.exp(score / (.3 * spread)) for score in scores))


def _slowly(sentence, query, features, spread, weight):
    """Weighed scores with the encoder alone, one picture and one phrase after the other."""
    checker, found = PhraseChecker(ColorEncoder()), []
    for feature in features:
        told = [_share([float(feature @ vector) for vector in checker.vectors(phrase)], spread)
                for phrase in checker.phrases(sentence) if not phrase.negated]
        found.append(float(feature @ query) / spread + .4 * weight * sum(told) / len(told))
    return found


def _ids(result):
    return [hit.entry.id for hit in result.hits]


def test_a_share_is_that_of_a_softmax():
    scores = np.random.default_rng(0).normal(size=(6, 4))
    assert log_shares(scores, .7) == pytest.approx([_share(row, .7) for row in scores], abs=1e-12)
    # Neither large scores nor a tiny spread overflow.
    assert log_shares(np.float64([[900, -900], [-900, 900]]), 1e-3).tolist() == [
        0., pytest.approx(-1800 / .3e-3)]


def test_the_spread_is_that_of_all_scores():
    random = np.random.default_rng(1)
    features, queries = random.normal(size=(50, 5)), random.normal(size=(3, 5))
    assert score_spreads(queries, *gallery_moments(features)) == pytest.approx(
        (features @ queries.T).std(0), rel=1e-9)
    # All alike: rounding must not make a root of less than nothing.
    assert score_spreads(queries, *gallery_moments(np.full((7, 5), .1))) == pytest.approx(
        [0, 0, 0], abs=1e-6)


def test_what_a_model_without_contrast_tells_counts_as_much():
    """Cosines that lie close together, as of CLIP, are those of another unit."""
    random = np.random.default_rng(2)
    encoder, features = ColorEncoder(), random.normal(size=(9, 12))

    class Shrunk(PhraseChecker):
        def vectors(self, phrase):
            return .05 * super().vectors(phrase)

    phrases, scores = phrases_to_weigh(SENTENCE), random.normal(size=9)
    wide = weighed_scores(scores, features, phrases, PhraseChecker(encoder), scores.std())
    narrow = weighed_scores(.05 * scores, features, phrases, Shrunk(encoder), .05 * scores.std())
    assert narrow == pytest.approx(wide, rel=1e-5)
    assert np.ptp(wide - scores / scores.std()) > .1  # the phrases have a say


def test_scores_stay_where_there_is_nothing_to_weigh():
    checker, scores, features = PhraseChecker(ColorEncoder()), np.float64([1, 2]), np.eye(2, 12)
    phrases = phrases_to_weigh('red coat')
    assert weighed_scores(scores, features, phrases, checker, 0.).tolist() == [1, 2]
    assert weighed_scores(scores, features, (), checker, .5).tolist() == [2, 4]
    assert weighed_scores(scores, features, phrases, checker, .5, 0.).tolist() == [2, 4]
    assert phrases_to_weigh(None) == () and phrases_to_weigh('somebody') == ()
    assert [str(one) for one in phrases_to_weigh('a red coat without a hat')] == ['red coat']


@pytest.mark.parametrize('weight', [-1, float('nan'), float('inf'), 1e308, 'much'])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(BadValue, match='weight of the phrases'):
        Wishes.of(weigh=weight)
    with pytest.raises(BadValue, match='weight of the phrases'):
        weighed_scores(np.ones(1), np.eye(1, 12), (), PhraseChecker(ColorEncoder()), 1., weight)


@pytest.mark.parametrize('weight', [1, 5])
def test_a_search_orders_as_by_hand(searcher, weight):
    plain, = searcher(SENTENCE, topk=len(NAMES))
    weighed, = searcher(SENTENCE, topk=len(NAMES), weigh=weight)
    entries, features = searcher.gallery.get([entry.id for entry in searcher.gallery.entries()])
    query = ColorEncoder().encode_texts([SENTENCE])[0]
    by_hand = _slowly(SENTENCE, query, features, float((features @ query).std()), weight)
    wanted = sorted(range(len(NAMES)), key=lambda place: -by_hand[place])
    assert _ids(weighed) == [entries[place].id for place in wanted] != _ids(plain)
    # What is shown of a hit is what it was.
    scores = [dict(zip(_ids(one), [hit.score for hit in one.hits], strict=True))
              for one in (plain, weighed)]
    assert scores[0] == pytest.approx(scores[1]) and 'marks' not in weighed.hits[0]


def test_an_answer_says_that_its_order_was_weighed(searcher, tmp_path):
    """Scores that do not fall would look like a fault."""
    weighed, = searcher(SENTENCE, topk=4, weigh=1, mark=True)
    scores = [hit.score for hit in searcher(SENTENCE, topk=len(NAMES), weigh=5)[0].hits]
    assert scores != sorted(scores, reverse=True)
    phrases = ['yellow shirt', 'red trousers', 'blue hat']
    assert weighed.to_json()['weighed'] == phrases == list(weighed.weighed)
    assert SearchResult.from_json(weighed.to_json()) == weighed == weighed.at_least(0)
    assert 'not in the scores: &#34;yellow shirt&#34;, ' in results_html([weighed], tmp_path)
    assert 'weighed' not in searcher(SENTENCE)[0] and searcher(SENTENCE)[0].weighed is None
    # What was asked for and could not be done is said, too.
    nothing = [*searcher('somebody', weigh=1),
               *searcher.search_image(tmp_path / 'crops/black.png', weigh=1),
               *searcher(SENTENCE, where=dict(path='none.png'), weigh=1)]
    assert [one['weighed'] for one in nothing] == [[], [], phrases]
    assert 'no phrase was found that can be weighed' in results_html(nothing[:1], tmp_path)


def test_a_gallery_of_equal_pictures_keeps_its_scores():
    """Moments are rounded: what is left of them is no spread."""
    feature = np.random.default_rng(3).normal(size=(1, 512)).astype(np.float32)
    feature /= np.linalg.norm(feature)
    spreads = [score_spreads(query[None], *gallery_moments(feature))[0]
               for query in np.random.default_rng(4).normal(size=(50, 512)) / 512 ** .5]
    assert max(spreads) > 1e-9
    assert weighed_scores(np.ones(1), np.eye(1, 12), phrases_to_weigh('red coat'),
                          PhraseChecker(ColorEncoder()), max(spreads)).tolist() == [1]


def test_more_than_is_shown_is_looked_at(searcher):
    whole, = searcher(SENTENCE, topk=len(NAMES), weigh=5)
    first, = searcher(SENTENCE, topk=1, weigh=5)
    assert _ids(first) == _ids(whole)[:1]
    assert _ids(first) != _ids(searcher(SENTENCE, topk=1)[0])
    asked = [SENTENCE, 'somebody', None]
    assert [reach_of(3, Wishes(weigh=1.), [one]) for one in asked] == [200, 3, 3]
    assert reach_of(3, Wishes(), asked) == 3


def test_denials_and_filters_go_with_it(searcher, tmp_path):
    denied, = searcher(f'{SENTENCE}, no green coat', topk=3, weigh=1)
    assert all('green' not in hit.entry.path for hit in denied.hits)
    assert denied.hits[0].marks[0]['phrase'] == 'no green coat'
    both, = searcher.search_image(tmp_path / 'crops/black.png', texts='red coat', topk=3, weigh=1)
    alone, = searcher.search_image(tmp_path / 'crops/black.png', topk=3, weigh=1)
    assert alone.hits[0].entry.path == 'black.png' and len(both.hits) == 3


def test_a_gallery_that_changes_has_other_statistics(searcher, tmp_path):
    searcher(SENTENCE, weigh=1)
    before = find_statistics(searcher.gallery)
    assert find_statistics(searcher.gallery) is before and before.count == len(NAMES)
    paint_folder(tmp_path / 'crops', 'white')
    searcher.index(tmp_path / 'crops')
    assert find_statistics(searcher.gallery).count == len(NAMES) + 1
