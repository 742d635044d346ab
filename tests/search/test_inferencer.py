"""Sentences in, plain answers out; ranked as brute force ranks."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from fakes import ColorEncoder, paint, paint_folder
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmtbps.search import SearchHit, TextToPersonInferencer
from mmtbps.search.galleries.base import GalleryEntry, GalleryMismatch
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.media.crops import ChangedFile
from mmtbps.search.media.images import UnreadableImage

NAMES = ['red-blue', 'red', 'blue', 'green-black', 'yellow', 'white-red']


@pytest.fixture
def photographs(tmp_path):
    return paint_folder(tmp_path / 'photographs', *NAMES)


@pytest.fixture
def searcher(photographs, tmp_path):
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'gallery')
    searcher.index(photographs, progress=False)
    return searcher


@pytest.fixture
def station():
    """Three sightings with all that can be known, in a gallery of its own making."""
    def build(uri):
        encoder = ColorEncoder()
        gallery = open_gallery(uri, encoder.fingerprint)
        gallery.upsert(
            [GalleryEntry('a', 'clip.mp4', camera='c1', time=10.0, track='t1', frame=3,
                          box=(1, 2, 30, 40), extra={'coat': 'long'}),
             GalleryEntry('b', 'b.png', camera='c2', time=20.0),
             GalleryEntry('c', 'c.png')],
            encoder.encode_images([paint('red'), paint('red', 'blue'), paint('green')]))
        return TextToPersonInferencer(encoder, gallery=gallery)
    return build


def names(answer):
    return [hit['path'].removesuffix('.png') for hit in answer['hits']]


def test_people_are_ranked_as_brute_force_ranks_them(searcher):
    texts = ['red coat, blue trousers', 'all in yellow', 'no colour at all']
    encoder = ColorEncoder()
    gallery = encoder.encode_images([paint(*name.split('-')) for name in NAMES])
    for text, answer in zip(texts, searcher(texts, topk=4), strict=True):
        query = encoder.encode_texts([text])[0]
        scores = {name: sum(float(a) * float(b) for a, b in zip(query, row, strict=True))
                  for name, row in zip(NAMES, gallery, strict=True)}
        expected = sorted(NAMES, key=scores.get, reverse=True)[:4]
        assert answer['query'] == text and names(answer) == expected
        assert [hit['rank'] for hit in answer['hits']] == [1, 2, 3, 4]
        np.testing.assert_allclose([hit['score'] for hit in answer['hits']],
                                   [scores[name] for name in expected], atol=1e-5)


def test_answers_are_plain_json(station, tmp_path):
    answers = station(tmp_path / 'gallery')(['red', 'green'])
    assert json.loads(json.dumps(answers)) == answers
    (first, *_), (green, *_) = (answer['hits'] for answer in answers)
    assert first == dict(rank=1, score=pytest.approx(1, abs=1e-6), id='a', path='clip.mp4',
                         camera='c1', time=10.0, track='t1', frame=3, box=[1, 2, 30, 40],
                         extra={'coat': 'long'})
    assert green['id'] == 'c' and green['camera'] is green['box'] is None


@pytest.mark.parametrize(('where', 'expected'), [
    (dict(camera=['c1', 'c2']), ['a', 'b']), (dict(camera='c2'), ['b']),
    (dict(time=(15, None)), ['b']), (dict(coat='long'), ['a'])])
def test_filters_pass_through(station, tmp_path, where, expected):
    searcher = station(tmp_path / 'gallery')
    for answer in (searcher('red', where=where), searcher.search_image(paint('red'), where=where)):
        assert [hit['id'] for hit in answer[0]['hits']] == expected
    assert [hit['id'] for hit in searcher.similar_to('a', where=where)[0]['hits']] == [
        entry for entry in expected if entry != 'a']


def test_a_list_longer_than_the_gallery_is_the_gallery(searcher):
    assert sorted(names(searcher('red', topk=1000)[0])) == sorted(NAMES)
    assert searcher([]) == []


def test_a_picture_finds_its_like(searcher, photographs):
    path = photographs / 'blue.png'
    for image, query in ((path, str(path)), (str(path), str(path)), (Image.open(path), 'image')):
        (answer, ) = searcher.search_image(image, topk=2)
        assert answer['query'] == query and names(answer)[0] == 'blue'


def test_a_picture_and_words_are_one_query(searcher, photographs):
    red, encoder = paint('red'), ColorEncoder()
    image, = encoder.encode_images([red])
    text, = encoder.encode_texts(['blue'])
    gallery = encoder.encode_images([paint(*name.split('-')) for name in NAMES])
    found = []
    for weight in (0, .1, .45, .9, 1):
        answer, = searcher.search_image(red, texts='blue', image_weight=weight)
        fused = weight * image + (1 - weight) * text
        scores = dict(zip(NAMES, gallery @ fused / np.linalg.norm(fused), strict=True))
        assert names(answer) == sorted(NAMES, key=scores.get, reverse=True)
        np.testing.assert_allclose([hit.score for hit in answer.hits],
                                   sorted(scores.values(), reverse=True), atol=1e-5)
        found.append(names(answer)[0])
        assert (answer['query'], answer['image']) == ('blue', 'image')
        assert answer.image_weight == answer['image_weight'] == weight
    assert (found[0], found[-1]) == ('blue', 'red')
    path = photographs / 'red.png'
    answers = searcher.search_image(path, texts=['blue', 'green'])
    assert [answer.title for answer in answers] == [
        f'{word} + picture {path} (weight 0.5)' for word in ('blue', 'green')]
    assert json.loads(json.dumps(answers)) == [answer.to_json() for answer in answers]
    alone, = searcher.search_image(path)
    assert alone.title == str(path) and 'image_weight' not in alone


def test_what_is_encoded_is_what_is_checked(searcher, monkeypatch):
    asked, encode = [], ColorEncoder.encode_texts
    monkeypatch.setattr(ColorEncoder, 'encode_texts',
                        lambda self, texts: asked.extend(texts) or encode(self, texts))
    odd = '\u201c\uff52\uff45\uff44\u201d\u200b\xa0coat'
    assert searcher(odd)[0].query == odd
    assert searcher.search_image(paint('red'), texts=[odd])[0].query == odd
    assert asked == ['"red" coat'] * 2


def test_words_that_a_model_does_not_know_or_read_are_in_the_answer(tiny_encoder, tmp_path,
                                                                     photographs):
    searcher = TextToPersonInferencer(tiny_encoder, gallery=tmp_path / 'people')
    searcher.index(photographs, progress=False)
    plain, odd, long = searcher(['A man has a red coat.', 'A man has 学.', 'red coat ' * 100])
    assert set(plain) == {'query', 'hits'} and plain.unknown == () and plain.read is None
    assert odd['unknown'] == ['学'] and set(odd) == {'query', 'hits', 'unknown'}
    assert long.read.endswith('coat') and long['read'] == long.read
    assert len(f'{long.read} {long.unread}'.split()) == 200 == 2 * long['query'].count('red')
    with pytest.raises(ValueError, match='knows no word'):
        searcher('学学')


def test_the_like_of_an_entry_is_not_itself(searcher):
    everyone = searcher('red', topk=100)[0]['hits']
    red = next(hit for hit in everyone if hit['path'] == 'red.png')
    (answer, ) = searcher.similar_to(red['id'], topk=3)
    assert answer['query'] == red['id'] and len(answer['hits']) == 3
    assert [hit['rank'] for hit in answer['hits']] == [1, 2, 3]
    assert names(answer) == [name for name in names(searcher('red')[0]) if name != 'red'][:3]
    with pytest.raises(KeyError, match='nobody'):
        searcher.similar_to('nobody')


@pytest.mark.parametrize(('call', 'error', 'message'), [
    (lambda s: s(' '), ValueError, 'empty'), (lambda s: s('red', topk=0), ValueError, 'topk'),
    (lambda s: s.similar_to(s('red')[0]['hits'][0]['id'], topk=0), ValueError, 'topk'),
    (lambda s: s('red', where={'camera': 3}), ValueError, 'camera'),
    (lambda s: s('\u200b'), ValueError, 'empty'), (lambda s: s('?!'), ValueError, 'no word'),
    (lambda s: s.search_image(paint('red'), texts='\u200b'), ValueError, 'empty'),
    (lambda s: s.search_image(paint('red'), texts='a', image_weight=1.1), ValueError, '0 to 1'),
    (lambda s: s.search_image(paint('red'), image_weight=float('nan')), ValueError, '0 to 1'),
    (lambda s: s.search_image('missing.png'), UnreadableImage, 'missing.png')])
def test_bad_questions_are_answered_with_the_reason(searcher, call, error, message):
    with pytest.raises(error, match=message):
        call(searcher)


# ------------------------------------------------------------------ galleries
def test_corrupt_pictures_are_listed_and_skipped(photographs, tmp_path):
    (photographs / 'broken.png').write_bytes(b'\x89PNG no more')
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'gallery')
    report = searcher.index(photographs, workers=3, batch_size=2, progress=False)
    assert report.indexed == len(NAMES)
    assert [path for path, _ in report.skipped] == ['broken.png']
    assert names(searcher('all in yellow', topk=1)[0]) == ['yellow']


def test_a_gallery_can_be_searched_by_its_address(searcher, tmp_path):
    again = TextToPersonInferencer(ColorEncoder(), gallery=str(tmp_path / 'gallery'))
    assert again('red') == searcher('red')


def test_a_gallery_that_is_not_there_is_named(tmp_path):
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='nowhere'):
        searcher('red')
    assert not (tmp_path / 'nowhere').exists(), 'a search must not begin a gallery'
    with pytest.raises(ValueError, match='no gallery is named'):
        TextToPersonInferencer(ColorEncoder())('red')


class OtherEncoder(ColorEncoder):
    fingerprint = dict(ColorEncoder.fingerprint, model='1' * 64)


def test_a_gallery_of_another_model_is_refused(searcher, tmp_path):
    for gallery in (tmp_path / 'gallery', searcher.gallery):
        with pytest.raises(GalleryMismatch, match='another model'):
            TextToPersonInferencer(OtherEncoder(), gallery=gallery)


def test_the_crop_of_a_hit_comes_back(searcher, photographs, tmp_path):
    (hit, ) = searcher('red coat, blue trousers', topk=1)[0]['hits']
    for entry in (hit, hit['id'], searcher.gallery.get([hit['id']])[0][0]):
        assert np.array_equal(searcher.picture(entry), paint('red', 'blue'))
    moved = photographs.rename(tmp_path / 'moved')
    with pytest.raises(UnreadableImage, match='red-blue.png'):
        searcher.picture(hit)
    again = TextToPersonInferencer(ColorEncoder(), gallery=searcher.gallery, images=moved)
    assert np.array_equal(again.picture(hit), paint('red', 'blue'))


def test_a_changed_file_is_neither_shown_nor_explained(searcher, photographs):
    (hit, ) = searcher('red coat, blue trousers', topk=1)[0]['hits']
    paint('green').save(photographs / 'red-blue.png')
    for use in (searcher.picture, lambda entry: searcher.explain('red coat', entry)):
        with pytest.raises(ChangedFile, match='red-blue.png: changed since it was indexed'):
            use(hit)


def test_a_hit_read_from_a_file_is_compared_with_the_gallery(searcher, photographs):
    hit = SearchHit.from_json(searcher('all in red', topk=1)[0].hits[0].to_json())
    assert np.array_equal(searcher.picture(hit), paint('red'))
    paint('green').save(photographs / 'red.png')
    with pytest.raises(ChangedFile):
        searcher.picture(hit)


def test_a_box_is_cut_out(tmp_path):
    sheet = Image.new('RGB', (40, 20))
    sheet.paste(paint('green', size=(10, 20)), (20, 0))
    (tmp_path / 'images').mkdir()
    sheet.save(tmp_path / 'images/sheet.png')
    encoder = ColorEncoder()
    gallery = open_gallery(tmp_path / 'gallery', encoder.fingerprint)
    gallery.upsert([GalleryEntry('x', 'sheet.png', box=(20, 0, 30, 20))],
                   encoder.encode_images([paint('green')]))
    with pytest.raises(FileNotFoundError, match='images=FOLDER'):
        TextToPersonInferencer(encoder, gallery=gallery).picture('x')
    searcher = TextToPersonInferencer(encoder, gallery=gallery, images=tmp_path / 'images')
    assert np.array_equal(searcher.picture('x'), paint('green', size=(10, 20)))


# ------------------------------------------------------------------ a real model
@pytest.fixture(scope='module')
def drawn(micro_set):
    """Files of drawn people, and a description of one of them."""
    people = json.loads((micro_set / 'reid_raw.json').read_text())
    wanted = [person for person in people if person['split'] == 'test'][:20]
    return [micro_set / 'imgs' / person['file_path'] for person in wanted], wanted[0]['captions'][0]


def test_the_ranking_of_a_model_is_that_of_its_features(tiny_encoder, drawn, tmp_path):
    """Cosines of features computed the plain way: the config's pipeline, one pair at a time."""
    files, text = drawn
    folder = tmp_path / 'crops'
    folder.mkdir()
    for number, file in enumerate(files):
        (folder / f'{number}.jpg').write_bytes(file.read_bytes())
    searcher = TextToPersonInferencer(tiny_encoder, gallery=tmp_path / 'gallery')
    searcher.index(folder, batch_size=7, progress=False)

    def features(item):
        for step in tiny_encoder.steps:
            item = step(item)
        batch = tiny_encoder.model.data_preprocessor(pseudo_collate([item]))
        with torch.no_grad():
            return tiny_encoder.model(**batch, mode='tensor')

    plain = [features(dict(img_path=str(folder / f'{number}.jpg'), caption=text))
             for number in range(len(files))]
    scores = [float(torch.cosine_similarity(one['text_feat'], one['image_feat']))
              for one in plain]
    hits = searcher(text, topk=len(files))[0]['hits']
    np.testing.assert_allclose([hit['score'] for hit in hits], sorted(scores, reverse=True),
                               atol=1e-6)
    for hit in hits:
        assert scores[int(hit['path'].removesuffix('.jpg'))] == pytest.approx(hit['score'],
                                                                              abs=1e-6)
    found = searcher.explain(text, hits[0])
    assert found.heat.shape == (len(found.words), *found.grid) and text.startswith(found.words[0])


def test_a_saved_model_searches_the_same_gallery(tiny_encoder, photographs, tmp_path):
    searcher = TextToPersonInferencer(tiny_encoder, gallery=tmp_path / 'gallery')
    searcher.index(photographs, progress=False)
    searcher.save_pretrained(tmp_path / 'model')
    again = TextToPersonInferencer.from_pretrained(tmp_path / 'model',
                                                   gallery=tmp_path / 'gallery')
    assert again('a man in a red coat') == searcher('a man in a red coat')
    assert read_provenance(str(tmp_path / 'gallery')).model is None  # a built encoder has no name
    again.index(photographs, progress=False)
    assert read_provenance(str(tmp_path / 'gallery')).model == str(tmp_path / 'model')
    assert TextToPersonInferencer(tmp_path / 'model', gallery=tmp_path / 'gallery')(
        'a man') == searcher('a man')
    with pytest.raises(TypeError, match='ColorEncoder has nothing to save'):
        TextToPersonInferencer(ColorEncoder()).save_pretrained(tmp_path / 'colors')


def test_an_inferencer_needs_no_torch_of_its_own():
    done = subprocess.run(
        [sys.executable, '-c', 'import sys; from mmtbps.search import TextToPersonInferencer; '
         'print({"torch", "mmengine", "transformers"} & set(sys.modules))'],
        capture_output=True, text=True)
    assert done.stdout.strip() == 'set()', done.stderr
