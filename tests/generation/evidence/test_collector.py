"""Every provider sees every picture once, whatever happens to the files in between."""

import numpy as np
import pytest
from PIL import Image
from stand_ins import MeanProvider, same

from mmtbps.errors import BadValue
from mmtbps.generation.evidence.base import BaseEvidenceProvider, EditEvidence
from mmtbps.generation.evidence.cache import EvidenceCache, hash_pixels
from mmtbps.generation.evidence.collector import EvidenceCollector
from mmtbps.registry import TASK_UTILS


@pytest.fixture
def images():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
            for width, height in ((8, 20), (9, 24), (20, 8), (8, 20))]


def test_it_says_what_the_providers_say(images):
    wanted = MeanProvider().look(images)
    for batch_size in (1, 3, 8):
        provider = MeanProvider()
        found = EvidenceCollector([provider], batch_size=batch_size).look(images)
        assert all(map(same, found, wanted))
        assert max(provider.batches) <= batch_size and sum(provider.batches) == len(images)


def test_no_picture_is_looked_at_twice(images, tmp_path):
    provider = MeanProvider()
    collector = EvidenceCollector([provider], cache=tmp_path)
    first = collector.look([images[0], images[1], images[0].copy()])
    assert provider.batches == [2] and same(first[0], first[2])
    later = MeanProvider()
    again = EvidenceCollector([later], cache=tmp_path).look(images)
    assert later.batches == [2] and all(map(same, again, MeanProvider().look(images)))


def test_each_provider_has_files_of_its_own(images, tmp_path):
    EvidenceCollector([MeanProvider(1)], cache=tmp_path).look(images)
    known, new = MeanProvider(1), MeanProvider(2)
    found = EvidenceCollector([known, new], cache=tmp_path).look(images)
    assert known.batches == [] and new.batches == [4]
    assert found[0].sources['box'] == 'mean 2'  # the later one counts


@pytest.mark.parametrize('damage', [
    lambda whole: b'', lambda whole: whole[:len(whole) // 2], lambda whole: b'no evidence',
    lambda whole: whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
    lambda whole: b'\x80\x04N.'], ids=['empty', 'torn', 'text', 'bit', 'pickle'])
def test_a_damaged_file_is_made_again(images, tmp_path, damage):
    EvidenceCollector([MeanProvider()], cache=tmp_path).look(images[:1])
    [file] = tmp_path.rglob('*.npz')
    file.write_bytes(damage(whole := file.read_bytes()))
    provider = MeanProvider()
    found = EvidenceCollector([provider], cache=tmp_path).look(images[:1])
    assert provider.batches == [1] and same(found[0], MeanProvider().look(images[:1])[0])
    assert file.read_bytes() == whole


def test_every_flipped_bit_is_noticed(images, tmp_path):
    """Or is one of the archive's that no reader looks at: then all arrays are still right."""
    cache, picture = EvidenceCache(tmp_path), hash_pixels(images[0])
    [truth] = MeanProvider().look(images[:1])
    cache.keep(picture, {}, truth)
    [file] = tmp_path.rglob('*.npz')
    whole, noticed = file.read_bytes(), 0
    listing = whole.index(b'PK\x01\x02')   # of the archive, which no checksum covers
    for place in (*range(0, listing, 9), *range(listing, len(whole))):
        bit = 1 << place % 8
        file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1:])
        found = cache.find(picture, {})
        noticed += found is None
        assert found is None or same(found, truth), place
    assert noticed > 100


def test_an_array_that_says_to_be_smaller_is_noticed(tmp_path):
    """Its end is not read then, and with it not the checksum."""
    cache = EvidenceCache(tmp_path)
    cache.keep('picture', {}, EditEvidence())
    [file] = tmp_path.rglob('*.npz')
    np.savez(file, person=np.ones((640, 256), bool),
             note=np.array('{"arrays": ["person"], "sources": {}}'))
    assert cache.find('picture', {}).person.shape == (640, 256)
    file.write_bytes(file.read_bytes().replace(b'(640, 256)', b'(100, 256)'))
    assert cache.find('picture', {}) is None


@pytest.mark.parametrize('note', ['{}', '[]', '3', '{"arrays": ["person", "parts"], "sources": {}}',
                                  '{"arrays": ["person"], "sources": 3}'])
def test_a_file_with_less_than_it_had_is_looked_for_again(tmp_path, note):
    """The list of an archive may lose a name, and what is left is whole."""
    cache = EvidenceCache(tmp_path)
    cache.keep('picture', {}, EditEvidence())
    [file] = tmp_path.rglob('*.npz')
    np.savez(file, person=np.ones((4, 2), bool), note=np.array(note))
    assert cache.find('picture', {}) is None


def test_a_file_of_objects_is_not_opened(tmp_path):
    cache = EvidenceCache(tmp_path)
    cache.keep('picture', {}, EditEvidence())
    [file] = tmp_path.rglob('*.npz')
    np.savez(file, note=np.array([dict()], object))
    assert cache.find('picture', {}) is None


def test_evidence_of_another_size_is_looked_for_again(images, tmp_path):
    provider = MeanProvider()
    [wrong] = provider.look(images[1:2])
    EvidenceCache(tmp_path).keep(hash_pixels(images[0]), provider.digest_fields, wrong)
    [found] = EvidenceCollector([provider], cache=tmp_path).look(images[:1])
    assert same(found, MeanProvider().look(images[:1])[0])


def test_an_empty_piece_is_kept_too(images, tmp_path):
    class Blind(MeanProvider):
        def look(self, images):
            super().look(images)
            return [EditEvidence() for _ in images]

    for batches in ([4], []):
        provider = Blind()
        pieces = EvidenceCollector([provider], cache=tmp_path).look(images)
        assert provider.batches == batches and pieces[0].box is pieces[0].person is None


@pytest.mark.parametrize('answer', [lambda pieces: pieces[1:], lambda pieces: pieces * 2,
                                    lambda pieces: pieces[::-1]])
def test_a_provider_that_mixes_up_pictures_is_named(images, answer):
    class Careless(MeanProvider):
        def look(self, images):
            return answer(super().look(images))

    with pytest.raises(RuntimeError, match='Careless must give one piece of evidence a picture'):
        EvidenceCollector([Careless()]).look(images[:3])


def test_a_collector_is_a_provider_built_from_a_config(monkeypatch):
    monkeypatch.setitem(TASK_UTILS._module_dict, 'MeanProvider', MeanProvider)
    collector = TASK_UTILS.build(dict(
        type='EvidenceCollector', providers=[dict(type='MeanProvider', setting=3)]))
    assert isinstance(collector, BaseEvidenceProvider)
    assert collector.provides == ('person', 'parts', 'keypoints', 'box')
    assert collector.digest_fields == dict(
        type='EvidenceCollector', providers=[dict(type='MeanProvider', setting=3)])
    assert EvidenceCollector([]).look([]) == []
    with pytest.raises(BadValue, match='batch_size'):
        EvidenceCollector([], batch_size=0)
