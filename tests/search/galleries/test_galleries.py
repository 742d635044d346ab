"""All kinds of galleries give the same answers as the slow one, and the same errors."""

import pickle
import sys

import numpy as np
import pytest
from gallery_rig import (
    DIM,
    FILTERS,
    FINGERPRINT,
    OTHER_FINGERPRINT,
    WEIRD,
    SlowGallery,
    draw_people,
    same_answers,
    same_state,
    unit,
)

from mmtbps.search.galleries import (
    GalleryEntry,
    GalleryMismatch,
    LanceGallery,
    MemoryGallery,
    MilvusGallery,
    NoGallery,
    PostgresGallery,
    UnknownEntry,
    open_gallery,
)

pytest_plugins = 'gallery_fixtures'  # `address` and `people`
QUERIES = unit(np.random.default_rng(99).normal(size=(3, DIM)))


def fill(gallery, numbers=range(120), seed=0):
    """The same people in the gallery and in the slow one."""
    slow = SlowGallery()
    entries, vectors = draw_people(numbers, seed)
    for start in range(0, len(entries), 50):
        part = slice(start, start + 50)
        gallery.upsert(entries[part], vectors[part])
    slow.upsert(entries, vectors)
    return slow


def test_the_filters_of_these_tests_tell_entries_apart():
    slow = SlowGallery()
    slow.upsert(*draw_people(range(120)))
    found = [slow.count(where) for where in FILTERS]
    assert sum(0 < count < 120 for count in found) == len(FILTERS) - 3
    assert found.count(0) == 3  # a camera, a time and the beginning of a word


def test_answers_are_those_of_the_slow_gallery(people, address):
    slow = fill(people)
    same_state(people, slow, QUERIES)
    reopened = open_gallery(address)
    same_state(reopened, slow, QUERIES)
    assert reopened.count() == people.count() == len(slow.rows) > 0


def test_what_is_replaced_and_removed_is_gone_for_good(people, address):
    slow = fill(people)
    entries, vectors = draw_people(range(30, 170), seed=1)
    entries = [GalleryEntry(**{**entry.to_json(), 'camera': 'new', 'box': None, 'extra': {}})
               if i % 2 else entry for i, entry in enumerate(entries)]
    for each in (people, slow):
        each.upsert(entries, vectors)
    same_state(people, slow, QUERIES, [None, {'camera': 'new'}, *FILTERS[:2]])
    ids = ['street/3.jpg#0', 'street/40.jpg#0', 'not there']
    assert people.delete(ids=ids) == slow.delete(ids=ids) == 2
    assert people.delete(ids=ids) == 0
    for where in ({'camera': 'new', 'frame': (None, 99)}, {'coat': ['red', 'blue']},
                  {'path': 'street/17.jpg'}):
        removed = slow.delete(where=where)
        assert people.delete(where=where) == removed > 0
    same_state(people, slow, QUERIES, [None, {'camera': 'new'}, *FILTERS[:2]])
    again = open_gallery(address, FINGERPRINT)
    again.optimize()
    same_state(again, slow, QUERIES, [None, {'camera': 'new'}, *FILTERS[:2]])
    same_answers(people.search(QUERIES, 1000), slow.search(QUERIES, 1000))


def test_any_order_of_calls_by_two_clients(people, address):
    draw, slow = np.random.default_rng(3), SlowGallery()
    clients = people, open_gallery(address, FINGERPRINT)
    for step in range(60):
        client = clients[draw.integers(2)]
        numbers = draw.choice(40, draw.integers(1, 9), replace=False)
        people = draw_people(numbers.tolist(), seed=step)
        if draw.random() < .7:
            for each in (client, slow):
                each.upsert(*people)
        else:
            ids = [entry.id for entry in people[0]]
            assert client.delete(ids=ids) == slow.delete(ids=ids)
        if step % 20 == 19:
            client.optimize()
        if step % 6 == 5:
            same_answers(clients[draw.integers(2)].search(QUERIES[:1], 50),
                         slow.search(QUERIES[:1], 50))
    for client in (*clients, open_gallery(address)):
        same_state(client, slow, QUERIES, [None])


def test_values_are_data(people):
    entries = [GalleryEntry(f'{i} {value}', f'{value}.jpg', camera=value, track=value,
                            extra={'coat': value, 'hat': WEIRD[i - 1]})
               for i, value in enumerate(WEIRD)]
    people.upsert(entries, unit(np.random.default_rng(0).normal(size=(len(WEIRD), DIM))))
    assert sorted(people.entries(), key=lambda e: int(e.id.split()[0])) == entries
    for entry, value in zip(entries, WEIRD, strict=True):
        for key in ('camera', 'track', 'coat'):
            for where in ({key: value}, {key: [value, 'no such value']}):
                assert list(people.entries(where)) == [entry], where
                assert [hit.entry for hit in people.search(QUERIES[:1], where=where)[0]] == [entry]
        assert list(people.entries({'path': f'{value}.jpg'})) == [entry]
        assert people.get([entry.id])[0] == [entry]
    for left, (entry, value) in reversed(list(enumerate(zip(entries, WEIRD, strict=True)))):
        where = [dict(ids=[entry.id]), dict(where={'coat': value}),
                 dict(where={'camera': value})][left % 3]
        assert people.delete(**where) == 1
        assert people.count() == left


def test_equal_features_come_in_the_order_of_their_ids(people):
    vectors = np.repeat(QUERIES[:1], 5, axis=0)
    people.upsert([GalleryEntry(key, f'{key}.jpg') for key in 'dbeac'], vectors)
    hits = people.search(QUERIES[:1])[0]
    assert [hit.entry.id for hit in hits] == list('abcde')
    assert [hit.score for hit in hits] == pytest.approx([1] * 5)


def test_features_of_another_model_are_refused(people, address):
    fill(people, range(5))
    with pytest.raises(GalleryMismatch, match='Index the images again') as refusal:
        open_gallery(address, OTHER_FINGERPRINT)
    assert refusal.value.remedy.action == 'index'
    assert (refusal.value.stored, refusal.value.given) == (FINGERPRINT, OTHER_FINGERPRINT)
    assert address in str(refusal.value)
    assert 'model: 111111111111... there, 999999999999... here' in str(refusal.value)
    assert open_gallery(address, FINGERPRINT).count() == open_gallery(address).count() == 5
    assert open_gallery(address).fingerprint == FINGERPRINT


def test_a_missing_gallery_is_not_made_by_looking(address, tmp_path):
    for _ in range(2):
        with pytest.raises(NoGallery, match='there is no gallery') as refusal:
            open_gallery(address)
        assert (refusal.value.remedy.action, refusal.value.remedy.arguments) == (
            'index', dict(gallery=address))
    assert not list(tmp_path.iterdir())


def test_an_empty_gallery_answers(people):
    assert people.search(QUERIES) == [[], [], []]
    assert people.search(QUERIES[:0]) == []
    assert people.search(QUERIES, where={'coat': 'red'}) == [[], [], []]
    assert people.count() == people.count({'camera': 'c1'}) == 0
    assert list(people.entries()) == []
    assert people.delete(ids=['a']) == people.delete(ids=[]) == 0
    people.upsert([], np.empty((0, DIM), np.float32))
    people.optimize()


def test_info_says_what_it_is(people, address):
    fill(people, range(8))
    info = people.info()
    assert info['kind'] in address or info['kind'] in ('memory', 'milvus')
    assert (info['uri'], info['entries'], info['dim']) == (address, 8, DIM)
    assert info['fingerprint'] == FINGERPRINT
    assert info['bytes'] is None or info['bytes'] > 8 * DIM * 4


@pytest.mark.parametrize('where, message', [
    ({'sha256': 'a'}, "'sha256' is no filter key: filter by camera"),
    ({'a b': 'x'}, "'a b' is no name"), ({"c'": 'x'}, 'is no name'), ({3: 'x'}, 'is no name'),
    ({'camera': 3}, "'camera' must be text, got 3"), ({'camera': None}, 'must be text'),
    ({'camera': ('a', 'b')}, 'a tuple is a range'), ({'coat': ('a', 'b')}, 'a tuple is a range'),
    ({'camera': []}, 'the list is empty'), ({'frame': 1.5}, "'frame' must be a whole number"),
    ({'time': (3, 1)}, 'ends before it begins'), ({'time': (None, None)}, 'one open end'),
    ({'time': float('nan')}, "'time' must be a number"),
    ({'time': True}, "'time' must be a number"),
    ({'camera': '\ud800'}, 'not valid Unicode'), ('camera=c1', 'a filter is a dict'),
    ({'camra': 'c1'}, "'camra': no entry of .* has such a key. Known to all galleries are camera")])
def test_a_wrong_filter_is_a_clear_error(tmp_path, where, message):
    gallery = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    fill(gallery, range(10))
    for call in (lambda: gallery.search(QUERIES, where=where), lambda: gallery.count(where),
                 lambda: gallery.delete(where=where)):
        with pytest.raises(ValueError, match=message):
            call()
    assert gallery.count() == 10


def test_a_key_that_no_entry_has_is_an_error_and_a_value_is_none(people):
    fill(people, range(10))
    assert people.search(QUERIES, where={'coat': 'mauve'}) == [[], [], []]
    assert people.count({'coat': 'mauve'}) == people.delete(where={'coat': 'mauve'}) == 0
    for call in (lambda: people.search(QUERIES, where={'coa': 'red'}),
                 lambda: people.count({'coa': 'red'}), lambda: people.delete(where={'coa': 'x'})):
        with pytest.raises(ValueError, match='no entry of .* has such a key.* did you mean coat'):
            call()
    with pytest.raises(ValueError, match=r'are camera, track, path, time, frame$'):
        people.count({'q.q': 'x'})


ONE = unit(np.ones((1, DIM)))


@pytest.mark.parametrize('entries, vectors, message', [
    ([GalleryEntry('a', 'a')], ONE * 2, 'feature 0 has length 2, not 1'),
    ([GalleryEntry('a', 'a')], ONE * np.nan, 'feature 0 has length nan'),
    ([GalleryEntry('a', 'a')], ONE[:, :5], r'must be of shape \(N, 12\), got \(1, 5\)'),
    ([GalleryEntry('a', 'a')], ONE[0], 'must be of shape'),
    ([GalleryEntry('a', 'a')] * 2, ONE, "'a' comes twice"),
    ([GalleryEntry('a', 'a'), GalleryEntry('b', 'b')], ONE, '2 entries with 1 features'),
    ([GalleryEntry('', 'a.jpg')], ONE, "'a.jpg' has an empty id"),
    ([GalleryEntry('a', '\udcff.jpg')], ONE, "'path' is not valid Unicode"),
    ([GalleryEntry('a', 'a', camera=3)], ONE, "entry 'a': 'camera' must be text, got 3"),
    ([GalleryEntry('a', 'a', time=float('inf'))], ONE, "'time' must be a number of seconds"),
    ([GalleryEntry('a', 'a', frame=2.5)], ONE, "'frame' must be a whole number"),
    ([GalleryEntry('a', 'a', extra={'coat': 3})], ONE, "'coat' must be text"),
    ([GalleryEntry('a', 'a', extra={'a=b': 'c'})], ONE, 'is no name'),
    ([GalleryEntry('a', 'a', extra={'camera': 'c'})], ONE, "'camera' is a column of its own"),
    ([GalleryEntry('a', 'a', extra={'score': 'c'})], ONE, "'score' is no filter key")])
def test_what_cannot_be_stored_is_refused_whole(tmp_path, entries, vectors, message):
    gallery = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    with pytest.raises(ValueError, match=message):
        gallery.upsert(entries, vectors)
    assert gallery.count() == 0


def test_calls_that_make_no_sense(tmp_path):
    gallery = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    slow = fill(gallery, range(5))
    for call, message in [
            (lambda: gallery.delete(), 'either ids or a filter'),
            (lambda: gallery.delete(ids=['a'], where={'camera': 'c1'}), 'either ids or a filter'),
            (lambda: gallery.delete(where={}), 'would remove all'),
            (lambda: gallery.delete(ids='street/1.jpg#0'), 'a list of strings'),
            (lambda: gallery.search(QUERIES, topk=0), 'topk must be a whole number from 1'),
            (lambda: gallery.search(QUERIES, topk=2.5), 'topk'),
            (lambda: gallery.search(QUERIES * 3), 'not 1')]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(KeyError, match="no entry 'nobody'"):
        gallery.get(['street/1.jpg#0', 'nobody'])
    same_state(gallery, slow, QUERIES, [None])


@pytest.mark.parametrize('fingerprint, message', [
    (dict(model='a'), "needs 'dim'"), (dict(dim=0), "needs 'dim'"), (dict(dim=True), "needs 'dim'"),
    (dict(dim=3, model=object()), 'JSON types'), (dict(dim=3, model=float('nan')), 'JSON types')])
def test_a_fingerprint_must_say_what_can_be_compared(tmp_path, fingerprint, message):
    with pytest.raises(ValueError, match=message):
        MemoryGallery(tmp_path / 'people', fingerprint)
    assert not list(tmp_path.iterdir())


def test_an_address_tells_the_kind(tmp_path, monkeypatch):
    pytest.importorskip('lancedb')
    assert type(open_gallery(tmp_path / 'a', FINGERPRINT)) is MemoryGallery
    assert type(open_gallery(str(tmp_path / 'a.lance'), FINGERPRINT)) is LanceGallery
    with pytest.raises(ValueError, match='http://host:port/collection'):
        open_gallery('milvus://somewhere/people')
    monkeypatch.setattr(MilvusGallery, '_open', lambda self, fingerprint: fingerprint)
    assert type(open_gallery('http://localhost:1/people', FINGERPRINT)) is MilvusGallery


@pytest.mark.parametrize('address, package, extra', [
    ('people.lance', 'lancedb', 'search'), ('http://localhost:1/people', 'pymilvus', 'milvus'),
    ('postgresql://localhost:1/db/people', 'psycopg', 'postgres')])
def test_a_missing_package_is_named(tmp_path, monkeypatch, address, package, extra):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f'needs {package}: pip install "mmtbps.{extra}.'):
        open_gallery(address, FINGERPRINT)


def test_an_error_of_a_gallery_survives_another_process():
    error = GalleryMismatch('people', FINGERPRINT, OTHER_FINGERPRINT)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.uri, again.stored, again.given, again.remedy) == (
        str(error), 'people', FINGERPRINT, OTHER_FINGERPRINT, error.remedy)
    assert str(UnknownEntry('people has no entry 7')) == 'people has no entry 7'


def test_galleries_are_registered(tmp_path):
    from mmtbps.registry import TASK_UTILS
    built = TASK_UTILS.build(dict(type='mmtbps.MemoryGallery', uri=str(tmp_path / 'people'),
                                  fingerprint=FINGERPRINT))
    assert type(built) is MemoryGallery and built.fingerprint == FINGERPRINT
    assert TASK_UTILS.get('LanceGallery') is LanceGallery
    assert TASK_UTILS.get('MilvusGallery') is MilvusGallery
    assert TASK_UTILS.get('PostgresGallery') is PostgresGallery
