"""Names that are typed: found whatever way they are spelled, and never another file."""

import unicodedata

import numpy as np
import pytest
from gallery_rig import unit

from mmtbps.search.galleries import GalleryEntry
from mmtbps.search.galleries.names import match_paths, similar_paths
from mmtbps.search.galleries.provenance import write_provenance

pytest_plugins = 'gallery_fixtures'  # `address` and `people`

NFC, NFD = (unicodedata.normalize(form, 'lobby/Müller é.jpg') for form in ('NFC', 'NFD'))


@pytest.mark.parametrize('typed, stored, found', [
    (NFC, [NFD], NFD), (NFD, [NFC], NFC), (NFC, [NFC, NFD], NFC), (NFD, [NFC, NFD], NFD),
    ('a\\b.jpg', ['a/b.jpg'], 'a/b.jpg'), ('a\\b.jpg', ['a/b.jpg', 'a\\b.jpg'], 'a\\b.jpg'),
    ('./a//b.jpg', ['a/b.jpg'], 'a/b.jpg'), ('/photos/a/b.jpg', ['a/b.jpg'], 'a/b.jpg'),
    ('/photos/../photos/a/b.jpg', ['a/b.jpg'], 'a/b.jpg'), ('/other/a/b.jpg', ['a/b.jpg'], None),
    ('/photos2/b.jpg', ['b.jpg', '2/b.jpg'], None), ('A/B.JPG', ['a/b.jpg'], None),
    ('b.jpg', ['a/b.jpg'], None), ('', ['a/b.jpg'], None)])
def test_a_path_is_one_file_or_none(typed, stored, found):
    assert match_paths([typed], stored, '/photos') == ({typed: found} if found else {})


def test_a_spelling_of_several_files_is_none():
    mixed = unicodedata.normalize('NFC', 'Mü') + unicodedata.normalize('NFD', 'llér')
    forms = [unicodedata.normalize(form, 'Müllér') for form in ('NFC', 'NFD')]
    assert match_paths([mixed], forms) == {} and match_paths([mixed], forms[:1])


def test_a_file_below_a_linked_root_is_found(tmp_path):
    (tmp_path / 'real').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'real')
    typed = str(tmp_path / 'link/a.jpg')
    assert match_paths([typed], ['a.jpg'], tmp_path / 'real') == {typed: 'a.jpg'}


@pytest.mark.parametrize('typed, similar', [
    ('LOBBY/b.jpg', 'lobby/B.JPG'), ('b.jpg', 'lobby/B.JPG'), ('hall/b.jpg', 'hall/b.JPG'),
    ('nosuch.jpg', None)])
def test_a_similar_path_is_named(typed, similar):
    found = similar_paths([typed], ['lobby/B.JPG', 'hall/b.JPG', 'c.jpg'])
    assert found.get(typed) == similar


def test_a_gallery_finds_names_in_any_spelling(people, tmp_path):
    camera = {form: unicodedata.normalize(form, 'Tür') for form in ('NFC', 'NFD')}
    entries = [GalleryEntry('1', NFD, camera=camera['NFC'], extra={'coat': camera['NFD']}),
               GalleryEntry('2', 'a/b.jpg', camera=camera['NFD']),
               GalleryEntry('3', 'c.jpg', camera='c1')]
    vectors = unit(np.random.default_rng(0).normal(size=(3, people.dim)))
    people.upsert(entries, vectors)
    write_provenance(people, images=tmp_path)
    wanted = [({'path': NFC}, {'1'}), ({'path': 'a\\b.jpg'}, {'2'}), ({'path': 'B.jpg'}, set()),
              ({'camera': camera['NFD']}, {'1', '2'}), ({'camera': [camera['NFC'], 'c1']},
                                                        {'1', '2', '3'}),
              ({'coat': camera['NFC']}, {'1'})]
    wanted.append(({'path': str(tmp_path / 'c.jpg')}, {'3'}))
    for where, ids in wanted:
        assert {entry.id for entry in people.entries(where)} == ids, where
        assert {hit.entry.id for hit in people.search(vectors[:1], 9, where)[0]} == ids
        assert people.count(where) == len(ids)
    assert people.delete(where={'path': NFC}) == 1 and people.count() == 2


@pytest.mark.parametrize('where', [
    {'camera': 'c1'}, {'track': ['t', 'u']}, {'time': (None, 5.)}, {'frame': 3}])
def test_a_column_of_which_nothing_is_known_is_an_error(people, where):
    vectors = unit(np.ones((1, people.dim)))
    assert people.count(where) == 0  # of an empty gallery
    people.upsert([GalleryEntry('1', 'a.jpg')], vectors)
    for ask in (lambda: people.search(vectors, 5, where), lambda: people.count(where),
                lambda: people.delete(where=where)):
        with pytest.raises(ValueError, match=f"no entry of .* has a {next(iter(where))}"):
            ask()
    assert people.count({'path': 'b.jpg'}) == 0
