"""Results of a search: made once, read as objects, as dicts and as JSON."""

import copy
import json
import pickle

import pytest

from mmtbps.search import GalleryEntry, SearchHit, SearchResult
from mmtbps.search.galleries import Hit

ENTRY = GalleryEntry('7', 'lobby/a.mp4', 99, 'f0', 'c1', 5.5, 't1', 3, (1, 2, 30, 40),
                     {'coat': 'red'})
PLAIN = GalleryEntry('8', 'b.jpg')


@pytest.fixture
def result():
    return SearchResult.of('Größe', [Hit(ENTRY, .83), Hit(PLAIN, -.1)])


def test_a_result_is_an_object(result):
    assert result.query == 'Größe'
    assert [(hit.rank, hit.score, hit.entry) for hit in result.hits] == [
        (1, .83, ENTRY), (2, -.1, PLAIN)]
    assert result.hits[0].entry is ENTRY, 'an entry is not made again'


def test_a_result_is_json_with_its_keys_in_order(result):
    expected = (
        '{"query": "Größe", "hits": ['
        '{"rank": 1, "score": 0.83, "id": "7", "path": "lobby/a.mp4", "camera": "c1", "time": 5.5, '
        '"track": "t1", "frame": 3, "box": [1, 2, 30, 40], "extra": {"coat": "red"}}, '
        '{"rank": 2, "score": -0.1, "id": "8", "path": "b.jpg", "camera": null, "time": null, '
        '"track": null, "frame": null, "box": null, "extra": {}}]}')
    assert json.dumps(result.to_json(), ensure_ascii=False) == expected
    assert json.dumps(result, ensure_ascii=False) == expected


def test_to_json_holds_plain_types(result):
    plain = result.to_json()
    assert type(plain) is dict and type(plain['hits']) is list
    assert {type(hit) for hit in plain['hits']} == {dict}
    assert plain == result


def test_a_result_reads_as_its_dict(result):
    assert [hit['path'] for hit in result['hits']] == ['lobby/a.mp4', 'b.jpg']
    assert dict(result.hits[1]) == SearchHit(2, -.1, PLAIN).to_json()


def test_a_result_comes_back_from_json(result):
    again = SearchResult.from_json(json.loads(json.dumps(result.to_json())))
    assert again == result and again.query == result.query
    # Size and hash of the file are not for those who search.
    assert again.hits[0].entry == GalleryEntry.from_json(dict(
        ENTRY.to_json(), size=0, sha256=''))


def test_what_there_is_to_say_of_a_query_comes_back_from_json():
    result = SearchResult.of('red 学', [Hit(PLAIN, .5)], unknown=['学'], read='red', unread='学',
                             image='a.jpg', image_weight=.25)
    assert result.to_json() == result == dict(
        query='red 学', hits=[SearchHit(1, .5, PLAIN)], unknown=['学'], read='red', unread='学',
        image='a.jpg', image_weight=.25)
    again = SearchResult.from_json(json.loads(json.dumps(result.to_json())))
    assert again == result and again.title == 'red 学 + picture a.jpg (weight 0.25)'
    assert again.unknown == ('学', ) and copy.deepcopy(again).unread == '学'


@pytest.mark.parametrize('again', [copy.copy, copy.deepcopy,
                                   lambda result: pickle.loads(pickle.dumps(result))])
def test_a_copy_is_whole(result, again):
    other = again(result)
    assert other == result and type(other) is SearchResult
    assert (other.query, other.hits) == (result.query, result.hits)
    assert [hit.entry for hit in other.hits] == [ENTRY, PLAIN]


def test_a_group_comes_back_from_json():
    copies = [GalleryEntry(name, f'{name}.jpg', 9, 'ab') for name in 'abc']
    result = SearchResult.of('x', [Hit(entry, .5) for entry in copies])
    (hit, ) = SearchResult.from_json(json.loads(json.dumps(result.to_json()))).hits
    assert hit == result['hits'][0] and [other.path for other in hit.others] == ['b.jpg', 'c.jpg']
    assert hit['others'] == [dict(id='b', path='b.jpg'), dict(id='c', path='c.jpg')]
