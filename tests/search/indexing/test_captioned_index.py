"""Index runs with captions: features, what is kept, what is done again, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fakes import COLORS, ColorEncoder, paint, paint_folder
from indexing_rig import Halves

from mmtbps.errors import BadValue
from mmtbps.search.captioning import (
    CaptionFile,
    CaptionModel,
    CaptionOptions,
    with_captions,
)
from mmtbps.search.encoders.base import Fingerprint
from mmtbps.search.galleries import CaptionMismatch, GalleryEntry, GalleryMismatch, open_gallery
from mmtbps.search.galleries.caption_words import words_of_captions
from mmtbps.search.galleries.fingerprint import is_same_model, may_search
from mmtbps.search.galleries.mismatch import mismatch_of
from mmtbps.search.indexing import DetectionOptions, IndexOptions, Metadata, index_people
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.presentation import in_words


class Painter:
    """A captioner that names the color above; fails or is silent at one, may stop at a call."""

    digest_fields = dict(weights='0')

    def __init__(self, fails=(), silent=(), stop_at=None):
        self.asked, self.fails, self.silent, self.stop_at = [], fails, silent, stop_at

    def rewrite(self, requests):
        request, = requests
        self.asked.append(request.name)
        if len(self.asked) == self.stop_at:
            raise KeyboardInterrupt
        if request.name in self.fails:
            raise RuntimeError('a broken picture')
        color = request.image.getpixel((0, 0))
        name, = (name for name, rgb in COLORS.items() if rgb == color)
        return [[] if request.name in self.silent else [f'all in {name}']]


def options(painter, weight=.3):
    return CaptionOptions(CaptionModel('hf:painter', writer=painter), weight)


def of_file(folder, table, weight=.3):
    (folder / 'captions.json').write_text(json.dumps(table))
    return CaptionOptions(CaptionFile(folder / 'captions.json'), weight)


def begin(tmp_path, captions, kind='people'):
    if kind.endswith('.lance'):
        pytest.importorskip('lancedb')
    return open_gallery(tmp_path / kind, with_captions(ColorEncoder.fingerprint,
                                                       captions.identity))


def index(folder, gallery, captions, encoder=None, detection=None, metadata=None, **more):
    return index_people(folder, gallery, encoder or ColorEncoder(), captions=captions,
                        metadata=metadata, detection=detection,
                        options=IndexOptions(progress=False, **more))


def by_path(gallery):
    ids = [entry.id for entry in gallery.entries()]
    return {entry.path: (entry, vector)
            for entry, vector in zip(*gallery.get(ids), strict=True)}


def wanted(image, texts, weight):
    encoder = ColorEncoder()
    picture = encoder.encode_images([image])[0]
    words = encoder.encode_texts(texts).mean(0)
    mixed = (1 - weight) * picture + weight * words / np.linalg.norm(words)
    return mixed / np.linalg.norm(mixed)


@pytest.mark.parametrize('kind', ['people', 'people.lance'])
def test_features_hold_the_captions_of_a_file(tmp_path, kind):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue', 'green')
    captions = of_file(tmp_path, {'red.png': 'in blue', 'blue.png': ['in blue', 'in white'],
                                  'gone.png': 'x'}, .4)
    gallery = begin(tmp_path, captions, kind)
    report = index(crops, gallery, captions, log=tmp_path / 'log', batch_size=2)
    assert (report.indexed, report.captioned, report.cut_captions) == (3, 2, 0)
    assert report.uncaptioned == [('green.png', 'captions.json has no caption of it')]
    assert '2 with a caption, 1 without a caption' in str(report)
    assert dict(path='green.png', uncaptioned=report.uncaptioned[0][1]) in [
        json.loads(line) for line in (tmp_path / 'log').read_text().splitlines()]
    found = by_path(open_gallery(tmp_path / kind))
    for name, texts in (('red', ['in blue']), ('blue', ['in blue', 'in white'])):
        entry, vector = found[f'{name}.png']
        assert entry.caption == ' / '.join(texts)
        np.testing.assert_allclose(vector, wanted(paint(name), texts, .4), atol=1e-6)
    assert found['green.png'][0].caption is None
    np.testing.assert_allclose(found['green.png'][1],
                               ColorEncoder().encode_images([paint('green')])[0], atol=1e-6)


def test_a_mended_file_takes_what_it_changes(tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue', 'green')
    captions = of_file(tmp_path, {'red.png': 'in red', 'blue.png': 'in blue'})
    gallery = begin(tmp_path, captions)
    index(crops, gallery, captions, metadata={'red.png': Metadata(camera='c1')})
    report = index(crops, gallery, of_file(tmp_path, {'red.png': 'in white', 'green.png': 'x'}))
    assert (report.indexed, report.unchanged, report.captioned) == (2, 1, 2)
    assert (report.replaced, report.removed) == (0, 0)
    assert {path: (entry.caption, entry.camera) for path, (entry, _) in by_path(gallery).items()
            } == {'red.png': ('in white', 'c1'), 'blue.png': ('in blue', None),
                  'green.png': ('x', None)}
    assert index(crops, gallery, of_file(tmp_path, {'red.png': 'in white'})).unchanged == 3


def test_a_stopped_run_captions_only_what_is_missing(tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue', 'green', 'black', 'white')
    stopping = Painter(stop_at=4)
    gallery = begin(tmp_path, options(stopping))
    with pytest.raises(KeyboardInterrupt):
        index(crops, gallery, options(stopping), commit_every=1)
    assert gallery.count() == 3
    going_on = Painter()
    report = index(crops, gallery, options(going_on))
    assert len(going_on.asked) == report.captioned == report.indexed == 2
    assert not {*going_on.asked} & {*stopping.asked[:3]}
    assert all(entry.caption == f'all in {path[:-4]}'
               for path, (entry, _) in by_path(gallery).items())
    again = Painter()
    assert index(crops, gallery, options(again)).unchanged == 5 and again.asked == []


def test_a_failing_picture_is_stored_without_and_tried_again(tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue', 'green')
    painter = Painter(fails=['red.png'], silent=['blue.png'])
    gallery = begin(tmp_path, options(painter))
    report = index(crops, gallery, options(painter))
    assert dict(report.uncaptioned) == {'red.png': 'RuntimeError: a broken picture',
                                        'blue.png': 'the captioner answered nothing'}
    assert (report.captioned, report.indexed, report.skipped) == (1, 3, [])
    mended = Painter()
    report = index(crops, gallery, options(mended))
    assert sorted(mended.asked) == ['blue.png', 'red.png'] and report.captioned == 2
    assert all(entry.caption for entry in gallery.entries())


def test_a_captioner_that_always_fails_ends_the_run(tmp_path):
    folder = tmp_path / 'crops'
    folder.mkdir()
    for number in range(25):
        paint('red').save(folder / f'{number}.png')
    painter = Painter(fails=[f'{number}.png' for number in range(25)])
    with pytest.raises(BadValue, match='failed at all of the first 20 pictures'):
        index(folder, begin(tmp_path, options(painter)), options(painter))
    assert len(painter.asked) == 20


def test_people_of_a_detector_have_a_caption_each(tmp_path, photographs):
    painter = Painter()
    gallery = begin(tmp_path, options(painter))
    detection = DetectionOptions(Halves())
    report = index(photographs, gallery, options(painter), detection=detection)
    assert (report.captioned, report.indexed) == (4, 4)
    assert sorted(entry.caption for entry in gallery.entries()) == [
        f'all in {color}' for color in ('blue', 'green', 'red', 'yellow')]
    again = Painter()
    assert index(photographs, gallery, options(again), detection=detection).unchanged == 2
    assert again.asked == []
    with pytest.raises(BadValue, match='does not tell apart the people'):
        captions = of_file(tmp_path, {'a.png': 'in red'})
        index(photographs, begin(tmp_path, captions, 'other'), captions, detection=detection)


def test_other_captions_and_weights_are_refused(tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red')
    captions = of_file(tmp_path, {'red.png': 'in red'})
    gallery = begin(tmp_path, captions)
    index(crops, gallery, captions)
    for other, said in ((replace(captions, weight=.5), 'FILE at weight 0.5'),
                        (options(Painter()), 'hf:painter'), (None, 'without captions')):
        with pytest.raises(CaptionMismatch, match=said) as error:
            index(crops, gallery, other)
        assert 'captions of FILE at weight 0.3' in str(error.value)
        assert error.value.remedy.arguments == dict(captioner='FILE', weight=.3)
    with pytest.raises(CaptionMismatch, match='holds features of pictures without captions'):
        index(crops, open_gallery(tmp_path / 'plain', ColorEncoder.fingerprint), captions)
    strange = ColorEncoder()
    strange.fingerprint = dict(ColorEncoder.fingerprint, model='1' * 64)
    with pytest.raises(GalleryMismatch):
        index(crops, gallery, captions, strange)
    with pytest.raises(BadValue, match="has a key 'caption'"):
        index(crops, gallery, captions, metadata={'red.png': Metadata(extra={'caption': 'x'})})


def test_a_query_needs_no_captioner(tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue')
    captions = of_file(tmp_path, {'red.png': 'in red, "smart"', 'blue.png': 'in blue'})
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=str(tmp_path / 'people'))
    searcher.index(crops, captions=captions, progress=False)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=str(tmp_path / 'people'))
    result, = searcher('in red')
    hit = result.hits[0]
    assert hit['path'] == 'red.png' and hit['caption'] == hit.entry.caption == 'in red, "smart"'
    assert type(hit).from_json(hit.to_json()).entry.caption == hit.entry.caption
    assert ('caption', hit.entry.caption) in in_words(hit.entry)
    result, = searcher('in red', where={'caption': 'blue'})
    assert [hit['path'] for hit in result.hits] == ['blue.png']


def test_a_new_captions_words_need_not_be_known(tmp_path):
    class Wordy(ColorEncoder):
        """Reads two words of a sentence."""

        def cut(self, texts):
            return [(text, ' '.join(text.split()[:2])) for text in texts if len(text.split()) > 2]
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue')
    captions = of_file(tmp_path, {'red.png': 'in red from head to foot', 'blue.png': '!!'})
    report = index(crops, begin(tmp_path, captions), captions, Wordy())
    assert (report.captioned, report.cut_captions) == (1, 1)
    assert report.uncaptioned[0][0] == 'blue.png' and 'no word' in report.uncaptioned[0][1]


CAPTIONS = dict(a='A man in a Red coat, black T-shirt.', b='red hat and a blue coat', c='redcoats',
                d=None, e='Straße, 外套')


@pytest.mark.parametrize('kind', ['people', 'people.lance'])
@pytest.mark.parametrize('value, ids', [
    ('red', 'ab'), ('coat red', 'ab'), ('"red coat"', 'a'), ('T-shirt', 'a'), ('shirt-t', ''),
    (['"red coat"', 'redcoats'], 'ac'), ('STRASSE', 'e'), ('外套', 'e'), ("'red%'", 'ab'),
    ('red "blue coat"', 'b'), ('green', '')])
def test_words_of_captions_are_a_filter(tmp_path, kind, value, ids):
    gallery = begin(tmp_path, options(Painter()), kind)
    gallery.upsert([GalleryEntry(id, f'{id}.jpg', caption=text) for id, text in CAPTIONS.items()],
                   np.eye(5, 12, dtype=np.float32))
    where = {'caption': value}
    assert sorted(entry.id for entry in gallery.entries(where)) == [*ids]
    assert gallery.count(where) == len(ids)
    hits, = gallery.search(np.eye(1, 12, dtype=np.float32), where=where)
    assert sorted(hit.entry.id for hit in hits) == [*ids]
    assert gallery.delete(where=where) == len(ids) and gallery.count() == 5 - len(ids)
    gallery.optimize()
    assert {entry.id: entry.caption for entry in gallery.entries()} == {
        id: text for id, text in CAPTIONS.items() if id not in ids}
    with pytest.raises(BadValue, match='no word of a caption'):
        gallery.count({'caption': '.,'})


@pytest.mark.parametrize('kind', ['people', 'people.lance'])
def test_a_gallery_without_captions_is_as_before(tmp_path, kind):
    if kind.endswith('.lance'):
        pytest.importorskip('lancedb')
    gallery = open_gallery(tmp_path / kind, ColorEncoder.fingerprint)
    entry = GalleryEntry('a', 'a.jpg', extra={'caption': 'red coat'})
    gallery.upsert([entry], np.eye(1, 12, dtype=np.float32))
    assert 'caption' not in entry.to_json() and gallery.fingerprint == ColorEncoder.fingerprint
    # A key of one's own is compared as a whole.
    assert gallery.count({'caption': 'red coat'}) == 1 and gallery.count({'caption': 'red'}) == 0
    again = open_gallery(tmp_path / kind, ColorEncoder.fingerprint)
    again.upsert([replace(entry, id='b')], np.eye(1, 12, dtype=np.float32))
    assert again.count() == 2
    if kind.endswith('.lance'):
        import lancedb
        table = lancedb.connect(tmp_path).open_table('people')
        assert table.schema.names == ['id', 'vector', 'camera', 'track', 'path', 'time', 'frame',
                                      'extra', 'entry']


def test_milvus_refuses_words_of_captions():
    from mmtbps.search.galleries.filters import read_where
    from mmtbps.search.galleries.milvus_columns import FactColumns
    words = words_of_captions(read_where({'caption': 'red'}))
    with pytest.raises(BadValue, match='cannot be filtered by their words'):
        FactColumns().expression(words)


def test_no_calibration_of_pictures_is_taken_for_pictures_with_captions(tmp_path):
    from mmtbps.commands.calibrate import check_gallery
    crops = paint_folder(tmp_path / 'crops', 'red')
    captions = of_file(tmp_path, {'red.png': 'in red'})
    index(crops, begin(tmp_path, captions), captions)
    with pytest.raises(BadValue, match='a gallery with captions is not calibrated'):
        check_gallery(str(tmp_path / 'people'), ColorEncoder())


def test_former_fingerprints_of_a_model_are_known_with_captions():
    model = Fingerprint(dict(model='b', dim=12), lambda: [dict(model='a', dim=12)])
    said = dict(captioner='FILE', weight=.3)
    given = with_captions(model, said)
    assert is_same_model(dict(model='a', dim=12, captions=said), given)
    assert not is_same_model(dict(model='a', dim=12), given)
    assert may_search(dict(model='a', dim=12, captions=said), model)
    assert isinstance(mismatch_of('here', dict(model='a', dim=12), given), CaptionMismatch)


def test_old_entries_without_a_caption_are_read():
    old = dict(id='a', path='a.jpg', size=0, sha256='', camera=None, time=None, track=None,
               frame=None, box=None, extra={}, mtime_ns=None)
    assert GalleryEntry.from_json(old) == GalleryEntry('a', 'a.jpg')
    with pytest.raises(ValueError, match="'caption' cannot be"):
        GalleryEntry.from_json(dict(old, caption=3))
