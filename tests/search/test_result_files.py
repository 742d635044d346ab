"""Answers to keep: true pictures, text that stays text, and nothing from outside."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fakes import COLORS, paint, paint_folder
from PIL import Image

from mmtbps.search import result_files
from mmtbps.search.galleries.base import GalleryEntry, Hit
from mmtbps.search.results import SearchHit, SearchResult

EVIL = '<script>alert("1")</script>\'"&'


def hit(path, rank=1, score=.5, **known):
    return dict(rank=rank, score=score, id=path, path=path, camera=None, time=None, track=None,
                frame=None, box=None, extra={}) | known


def results_html(results, root):
    return result_files.results_html(list(map(SearchResult.from_json, results)), root)


def write_results(results, path, root):
    return result_files.write_results(list(map(SearchResult.from_json, results)), path, root)


class Reader(HTMLParser):
    """Tags with their attributes, and the text outside of <style>."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self._inside = [], [], ''
        self.feed(page)
        self.text = ' '.join(' '.join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside != 'style':
            self.words.append(data)

    def pictures(self):
        for tag, attrs in self.tags:
            if tag == 'img':
                kind, _, data = attrs['src'].partition(',')
                assert kind == 'data:image/jpeg;base64'
                yield Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.fixture
def root(tmp_path):
    folder = paint_folder(tmp_path / 'crops', 'green')
    image = Image.new('RGB', (64, 64), COLORS['red'])
    image.paste(paint('blue', size=(32, 64)), (32, 0))
    image.save(folder / 'two.png')
    return folder


def test_a_page_shows_what_was_found(root):
    page = results_html([dict(query='a man in blue', hits=[
        hit('two.png', 1, .8349, box=[32, 0, 64, 64], camera='c1', time=1714521600., track='t7',
            extra={'coat': 'navy'}),
        hit('green.png', 2, -.1)]), dict(query='nobody', hits=[])], root)
    reader = Reader(page)
    first, second = reader.pictures()
    assert first.size == (32, 64)
    for picture, color in ((first, 'blue'), (second, 'green')):
        difference = np.asarray(picture, int) - COLORS[color]
        assert np.abs(difference).max() < 12, 'JPEG may move a colour a little, not more'
    for words in ('a man in blue 2 found', '1 0.835 camera c1 time 2024-05-01 00:00:00',
                  'track t7 coat navy file two.png', '2 -0.100', 'nobody Nothing found',
                  'A rank is no identification'):
        assert words in reader.text


def test_text_stays_text_and_nothing_is_loaded(root):
    # A slash cannot be in a name.
    name = EVIL.replace('/', '') + '.png'
    paint('red').save(root / name)
    page = results_html([dict(query=EVIL, hits=[
        hit(name, camera=EVIL, track=EVIL, extra={'note': EVIL}),
        hit('../' + EVIL, 2)])], root)
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} == {
        'html', 'head', 'meta', 'title', 'style', 'body', 'section', 'h1', 'p', 'ol', 'li', 'div',
        'img', 'b', 'span', 'dl', 'dt', 'dd', 'footer'}
    assert len(list(reader.pictures())) == 1
    assert reader.text.count(EVIL) == 5 and name in reader.text
    assert not re.search(r'https?:|url\(|@import', page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize('path, reason', [
    ('gone.png', 'no such file'), ('../outside.png', 'outside the folder'),
    ('/etc/passwd', 'outside the folder'), ('broken.png', 'no image')])
def test_a_picture_that_cannot_be_shown_says_why(root, path, reason):
    (root / 'broken.png').write_bytes(b'broken')
    paint('red').save(root.parent / 'outside.png')
    reader = Reader(results_html([dict(query='x', hits=[hit(path)])], root))
    assert list(reader.pictures()) == [] and reason in reader.text


def test_a_changed_file_is_not_shown_in_place_of_the_person(root):
    entry = GalleryEntry('x', 'green.png', 7, sha256='0' * 64)
    results = [SearchResult.of('green', [Hit(entry, .5)])]
    reader = Reader(result_files.results_html(results, root))
    assert list(reader.pictures()) == [] and 'changed since it was indexed' in reader.text
    pixels = np.asarray(result_files.draw_results(results, root).convert('RGB'), int)
    assert np.abs(pixels - COLORS['green']).max(2).min() > 20


def test_copies_and_boxes_are_said(root):
    copies = [Hit(GalleryEntry(str(number), 'two.png', 9, '', frame=None, box=(0, 0, 9, 9)), .5)
              for number in range(3)]
    result = SearchResult('x', [SearchHit(1, .5, copies[0].entry,
                                          others=[hit.entry for hit in copies[1:]])])
    text = Reader(result_files.results_html([result], root)).text
    assert 'file two.png box 0,0,9,9 and 2 more of this group' in text


def test_nothing_of_the_file_but_pixels_is_in_an_answer(root):
    exif = Image.Exif()
    exif[0x010e] = 'SECRET'  # the description
    image = paint('red', size=(40, 80))
    image.save(root / 'a.jpg', comment=b'SECRET', exif=exif.tobytes(), xmp=b'SECRET')
    image.save(root / 'b.webp', exif=exif.tobytes(), xmp=b'SECRET')
    image.save(root / 'c.gif', comment=b'SECRET')
    image.save(root / 'd.jp2', comment='SECRET')
    hits = [hit(path.name, rank) for rank, path in enumerate(sorted(root.glob('?.*')))]
    assert len(hits) == 4 and all(b'SECRET' in (root / one['path']).read_bytes() for one in hits)
    results = [dict(query='red', hits=hits + [hit('a.jpg', 9, box=[0, 0, 20, 40])])]
    for picture in re.findall('base64,([^"]+)', results_html(results, root)):
        assert b'SECRET' not in base64.b64decode(picture)
    write_results(results, root / 'out.png', root)
    assert b'SECRET' not in (root / 'out.png').read_bytes()


def test_a_query_of_ten_thousand_words_does_not_fill_the_page(root):
    query = 'a man in a red coat ' * 1667
    page = results_html([dict(query=query, hits=[hit('green.png')])], root)
    assert 'red coat' in page and len(page) < 10_000
    write_results([dict(query=query, hits=[hit('green.png')])], root / 'out.png', root)
    with Image.open(root / 'out.png') as picture:
        assert picture.height < 800


def test_a_drawn_answer_has_the_crops(root):
    results = [dict(query='blue', hits=[hit('two.png', 1, .8, box=[32, 0, 64, 64]),
                                        hit('green.png', 2, .1), hit('gone.png', 3, 0.)]),
               dict(query='nobody', hits=[])]
    assert write_results(results, root / 'out.png', root) == root / 'out.png'
    with Image.open(root / 'out.png') as picture:
        pixels = np.asarray(picture.convert('RGB'), int)
    middle = pixels[pixels.shape[0] // 2]
    assert np.abs(middle - COLORS['blue']).max(1).min() <= 3
    assert np.abs(middle - COLORS['green']).max(1).min() <= 3
    assert np.abs(pixels - COLORS['red']).max(2).min() > 3, 'outside of the box'


def test_a_drawn_answer_has_marks_and_probabilities(root, monkeypatch):
    drawn = []
    monkeypatch.setattr(result_files, 'draw_rank_list', lambda query, paths, **said: drawn.append(
        said) or Image.new('RGB', (9, 9)))
    marks = [dict(phrase='red coat', mark='yes', margin=1.2),
             dict(phrase='no hat', mark='unsure', margin=.4)]
    presence = dict(probability=.9, searched=40, calibrated=True, basis='val')
    results = [dict(query='x', presence=presence, unchecked=['tall'], marked_by='calibrated', hits=[
        hit('green.png', 1, .8, probability=.1164, marks=marks), hit('two.png', 2)])]
    write_results(results, root / 'out.png', root)
    assert drawn[0]['notes'] == ['11.6 %', '']
    assert drawn[0]['marks'] == [[('red coat', 'yes'), ('no hat', 'unsure')], []]
    for words in ('probably here: 90 % that the person is among the 40', 'not checked: "tall"'):
        assert words in drawn[0]['title']
        assert words in Reader(results_html(results, root)).text
    write_results([dict(query='x', hits=[hit('green.png')])], root / 'out.png', root)
    assert drawn[1]['notes'] is None and drawn[1]['title'] == ''


def test_json_holds_names_that_act_on_a_terminal_as_escapes(root):
    result = dict(query='a man', hits=[hit('a\x9b2J\u202eb\u2028.jpg')], image='\udcff.jpg',
                  image_weight=.5)
    write_results([result], root / 'out.json', root)
    text = (root / 'out.json').read_text(encoding='utf-8')
    assert json.loads(text) == [result]
    assert not any(sign in text for sign in '\x9b\u202e\u2028')


def test_json_is_what_the_search_gave(root):
    results = [dict(query='Größe', hits=[hit('two.png', camera='c1')])]
    write_results(results, root / 'out.json', root)
    assert (root / 'out.json').read_text(encoding='utf-8') == json.dumps(
        results, indent=2, ensure_ascii=False) + '\n'


@pytest.mark.parametrize('name, error, message', [
    ('out.gif', ValueError, 'written as .html, .png, .json'),
    ('nowhere/out.html', FileNotFoundError, 'no such folder')])
def test_an_answer_that_cannot_be_written(root, name, error, message):
    with pytest.raises(error, match=message):
        write_results([], root / name, root)


def test_an_answer_for_an_object_store_is_refused_without_its_password():
    with pytest.raises(ValueError, match='s3://bucket/a.html: nothing is written to object stores'):
        result_files.check_target(Path('s3://bucket/a.html'))
    with pytest.raises(ValueError, match='leave user, password') as refused:
        result_files.check_target(Path('s3://me:a/hunter2@bucket/a.html'))
    assert 'hunter2' not in str(refused.value)


def test_nothing_found_is_no_picture(root):
    with pytest.raises(ValueError, match='nothing was found'):
        write_results([dict(query='x', hits=[])], root / 'out.png', root)
