"""The parts of the page, without a server."""

import hashlib
import shutil
import socket
import sys
from dataclasses import replace

import pytest
from fakes import ColorEncoder, paint
from webui_rig import fill

from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.markup import as_data_uri
from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.facets import Facets
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui import build_page, html, serve
from mmtbps.search.webui.bodies import refuse_body
from mmtbps.search.webui.middleware import is_allowed
from mmtbps.search.webui.service import (
    Refused,
    SearchService,
    make_where,
    read_picture,
)
from mmtbps.search.webui.uploads import add_crops, check_uploads
from mmtbps.search.webui.views import MAX_HISTORY, Question, answer, show_person

HOSTILE = '<img src=x onerror=alert(1)>${alert(2)}{{value}}"\'\u202e'


@pytest.fixture
def service(tmp_path):
    gallery = fill(tmp_path / 'images', tmp_path / 'gallery')
    images = tmp_path / 'images'
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery, images=images)
    return SearchService(searcher, images)


def test_an_answer_shows_the_people_in_their_order_with_scores(service):
    html, asked, _ = answer(service, Question('red coat, blue trousers', count=3), [])
    hits = service.inferencer('red coat, blue trousers', topk=3)[0]['hits']
    places = [html.index(f'data-pick="{hit["id"]}"') for hit in hits]
    assert hits[0]['id'] == 'red-blue' and places == sorted(places)
    assert all(f'>{hit["score"]:.3f}<' in html for hit in hits)
    assert html.count('data:image/jpeg') == 3
    assert asked == [Question('red coat, blue trousers', count=3)]


def as_uri(*colors):
    return as_data_uri(paint(*colors, size=(40, 100)))


@pytest.mark.parametrize('weight', [0., .3, 1.])
def test_a_picture_is_searched_by_alone_and_with_words(service, weight):
    picture = read_picture(as_uri('red', 'black'))
    found = [hit.entry.id for hit in service.search_picture(picture, ' ', 6)]
    alone = service.inferencer.search_image(paint('red', 'black'), topk=6)[0].hits
    assert found == [hit.entry.id for hit in alone] and found[0] == 'red-black'
    found = [hit.entry.id for hit in service.search_picture(picture, 'green coat', 6,
                                                            image_weight=weight)]
    both = service.inferencer.search_image(paint('red', 'black'), topk=6, texts='green coat',
                                           image_weight=weight)[0].hits
    assert found == [hit.entry.id for hit in both]
    drawn, asked, history = answer(service, Question('green coat', picture=picture), [])
    assert 'with a picture: 50%, words: 50%' in drawn and picture not in history
    drawn, _, _ = answer(service, Question(picture=picture), [])
    assert '>People like the one in the picture<' in drawn


@pytest.mark.parametrize('picture, message', [
    ('none', 'no picture that your browser'), (5, 'no picture that your browser'),
    ('file:///etc/passwd', 'no picture that your browser'),
    ('data:image/svg+xml;base64,AAAA', 'no picture that your browser'),
    ('data:image/jpeg;base64,A?', 'not arrived whole'),
    ('data:image/jpeg;base64,AAAA', 'no image of a known format')])
def test_what_is_no_picture_is_refused(service, picture, message):
    for ask in (read_picture, service.search_picture):
        with pytest.raises(Refused, match=message):
            ask(picture)


@pytest.mark.parametrize('weight', [-.1, 1.1, None, True, '1', float('nan')])
def test_a_weight_is_a_share(service, weight):
    with pytest.raises(Refused, match='from 0 to 1'):
        service.search_picture(as_uri('red'), 'red', image_weight=weight)


def test_the_history_is_latest_first_without_repeats_and_bounded(service):
    asked = []
    for number in range(MAX_HISTORY + 3):
        _, asked, _ = answer(service, Question(f'red {number}', count=1), asked)
    assert [one.text for one in asked] == [
        f'red {number}' for number in range(MAX_HISTORY + 2, 2, -1)]
    _, asked, html = answer(service, Question('red 7', count=1), asked)
    assert [one.text for one in asked][:2] == ['red 7', f'red {MAX_HISTORY + 2}']
    assert len(asked) == MAX_HISTORY and html.count('red 7') == 2  # the chip and its title
    _, refused, _ = answer(service, Question(''), asked)
    assert refused == asked


def test_words_stand_where_there_are_no_people(service, tmp_path):
    html, _, _ = answer(service, Question('red', cameras=('nowhere',)), [])
    assert 'Nobody found' in html and 'camera nowhere' in html and 'data-pick' not in html
    html, _, _ = answer(service, Question('   '), [])
    assert 'Describe the person' in html
    alone = service.inferencer.gallery
    kept = alone.get([entry.id for entry in alone.entries()])
    alone.delete(ids=[entry.id for entry in kept[0]])
    html, _, _ = answer(service, Question('red'), [])
    assert 'The gallery is empty' in html
    alone.upsert(*kept)
    (tmp_path / 'images/crops/red-blue.png').unlink()
    html, _, _ = answer(service, Question('red coat, blue trousers', count=2), [])
    assert html.count('picture not found') == 1 and html.count('data-pick') == 2


def test_a_changed_file_is_not_shown_in_place_of_the_person(service):
    gallery = service.inferencer.gallery
    (entry, ), features = gallery.get(['red-blue'])
    gallery.upsert([replace(entry, size=9, sha256='0' * 64)], features)
    html, _, _ = answer(service, Question('red coat, blue trousers', count=1), [])
    assert 'changed since it was indexed' in html and 'data:image' not in html
    (html, _, _), = show_person(service, 'red-blue', 'red coat')
    assert 'changed since it was indexed' in html and 'data:image' not in html
    with pytest.raises(Refused, match='changed since it was indexed'):
        service.explain('red coat', 'red-blue')


def test_a_picture_that_is_there_and_cannot_be_read_is_not_called_lost(service):
    (service.images / 'crops/red-blue.png').write_bytes(b'no picture')
    html, _, _ = answer(service, Question('red coat, blue trousers', count=1), [])
    assert 'no image of a known format' in html and 'not found' not in html


def test_a_picture_that_needs_a_package_keeps_the_answer(service, monkeypatch):
    def read(*_):
        raise MissingPackage('videos need cv2: pip install it')

    monkeypatch.setattr('mmtbps.search.webui.service.read_entry', read)
    html, _, _ = answer(service, Question('red coat, blue trousers'), [])
    assert html.count('<span class="lost">videos need cv2: pip install it</span>') == 6


@pytest.mark.parametrize('folder', ['gallery', 'gallery.lance'])
def test_a_gallery_that_is_gone_is_said_wherever_it_is_asked(tmp_path, folder):
    """A fault that the library words is no fault of the page, whatever built-in error it is."""
    if folder.endswith('.lance'):
        pytest.importorskip('lancedb')
    images = tmp_path / 'images'
    gallery = open_gallery(tmp_path / folder, ColorEncoder.fingerprint)
    known = fill(images, tmp_path / 'other')
    gallery.upsert(list(known.entries()), known.get([one.id for one in known.entries()])[1])
    service = SearchService(TextToPersonInferencer(
        ColorEncoder(), gallery=gallery, images=images), images)
    assert service.facets().count == 6
    shutil.rmtree(tmp_path / folder)
    for question in (Question('red'), Question(picture=as_uri('red')), Question(person='red-blue')):
        drawn, asked, _ = answer(service, question, [])
        assert 'class="notice"' in drawn and 'from a backup' in drawn and not asked
    (drawn, entry_id, _), = show_person(service, 'red-blue', '')
    assert 'from a backup' in drawn and entry_id is None
    paint('purple').save(tmp_path / 'new.png')
    for ask in (service.facets, lambda: add_crops(service, images / 'added',
                                                  [str(tmp_path / 'new.png')])):
        with pytest.raises(Refused, match='from a backup'):
            ask()


def test_a_person_up_close_without_a_model_that_explains(service):
    first, last = show_person(service, 'red-blue', 'red coat')
    assert first[1:] == last[1:] == ('red-blue', 'red-blue.png')
    assert 'This model cannot show where the words are' in last[0]
    assert 'Looking for the words' in first[0]
    assert len(list(show_person(service, 'red-blue', ''))) == 1
    (html, entry_id, _), = show_person(service, {'pick': 1}, 'red')
    assert entry_id is None and 'Choose a person' in html


def test_a_picture_outside_the_images_is_never_read(service, tmp_path):
    secret = tmp_path / 'secret.png'
    paint('red').save(secret)
    (tmp_path / 'images/link.png').symlink_to(secret)
    for path in (str(secret), '../secret.png', 'crops/../../secret.png', 'link.png'):
        assert service.picture(GalleryEntry('x', path)) is None
    assert service.picture(GalleryEntry('x', 'crops/red-blue.png')).size == (32, 80)


def test_hostile_text_stays_text():
    person = dict(rank=1, id=HOSTILE, score=.5, lines=[HOSTILE], picture=None)
    for drawn in (html.draw_people(HOSTILE, [person], HOSTILE), html.draw_notice(HOSTILE),
                 html.draw_history([HOSTILE]), html.draw_report(HOSTILE),
                 html.draw_masthead(HOSTILE, HOSTILE),
                 html.draw_person(HOSTILE, None, [(HOSTILE, HOSTILE)], note=HOSTILE)):
        assert '<img' not in drawn and '&lt;img' in drawn and '\u202e' not in drawn
        # No quote of it ends an attribute.
        assert drawn.count('"') % 2 == 0 and "'" not in drawn


def test_facets_are_what_the_entries_know():
    entries = [GalleryEntry('1', 'a'), GalleryEntry('2', 'b', camera='z', time=3.),
               GalleryEntry('3', 'c', camera='a', time=-1., track='t')]
    assert Facets.of(iter(entries)) == Facets(3, ('a', 'z'), (-1., 3.), True)
    assert Facets.of(iter(entries[:1])) == Facets(1)


def test_facets_follow_the_gallery(service):
    assert service.facets().count == 6
    service.inferencer.gallery.delete(where={'camera': 'c1'})
    assert service.facets().cameras == ('c2', 'c3')
    # Another program changes what is known, not how many there are.
    other = open_gallery(service.inferencer.gallery.uri)
    (entry,), features = other.get(['red-black'])
    other.upsert([replace(entry, camera='new')], features)
    assert service.facets().cameras == ('c2', 'c3', 'new')


def test_facets_of_an_unchanged_gallery_are_looked_up_once(service, monkeypatch):
    assert service.facets().count == 6
    monkeypatch.setattr(service.inferencer.gallery, 'entries', None)
    assert service.facets().count == 6


@pytest.mark.parametrize('fields', [
    dict(since=['2024']), dict(track={'$ne': 1}), dict(until='1' * 300), dict(track='\ud800'),
    dict(since='\0')])
def test_a_filter_that_is_no_line_of_text_is_refused(fields):
    with pytest.raises(Refused):
        make_where(**fields)


def test_the_filter_passes_what_the_page_needs_only():
    closed = ['/gradio_api/file=/etc/passwd', '/gradio_api/file/etc/passwd', '/file=/etc/passwd',
              '/gradio_api/proxy=https://example.org', '/gradio_api/stream/x', '/monitoring',
              '/gradio_api/component_server', '/gradio_api/vibe-edit', '/gradio_api/deep_link',
              '/gradio_api/process_recording', '/gradio_api/uploads', '/login', '/docs']
    assert not [path for path in closed if is_allowed(path)]
    assert all(map(is_allowed, ('/', '/gradio_api/queue/join', '/assets/index.js')))
    assert is_allowed('/gradio_api/upload', uploads=True) and not is_allowed('/gradio_api/upload')


@pytest.mark.parametrize('body', [
    b'{', b'[' * 100_000, b'{"data": [[{"a": {"path": "http://x/y"}}]]}',
    rb'{"p\u0061th": "\u0068ttps://x"}', b'{"path": "file:///etc/passwd"}'])
def test_the_filter_refuses_addresses_however_written(body):
    assert refuse_body(body)
    passed = b'{"data": ["see http://x", {"url": "http://x", "path": "/tmp/a.png"}]}'
    assert refuse_body(passed) is None


def test_without_gradio_the_error_names_the_extra(service, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[demo\]"'):
        build_page(service.inferencer, service.images)


def hashed(service):
    """Give each entry the hash of its file, as the index does; by path."""
    gallery = service.inferencer.gallery
    entries = [replace(entry, sha256=hashlib.sha256(
        (service.images / entry.path).read_bytes()).hexdigest()) for entry in gallery.entries()]
    gallery.upsert(entries, gallery.get([entry.id for entry in entries])[1])
    return {entry.path: entry for entry in entries}


def test_a_picture_of_the_gallery_is_not_added_under_another_name(service, tmp_path):
    known = hashed(service)
    copy = tmp_path / 'copy.png'
    copy.write_bytes((service.images / 'crops/red-blue.png').read_bytes())
    for fields in ({}, dict(camera='other', time='2020-01-01', track='t9')):
        report = add_crops(service, service.images / 'added', [str(copy)], **fields)
        assert (report.count, report.present) == (0, 1)
    assert {entry.path: entry for entry in service.inferencer.gallery.entries()} == known
    assert not (service.images / 'added').exists()


def test_what_was_not_known_of_a_picture_is_noted(service, tmp_path):
    known = hashed(service)['crops/red-blue.png']
    gallery = service.inferencer.gallery
    gallery.upsert([replace(known, camera=None)], gallery.get([known.id])[1])
    add_crops(service, service.images / 'added', [str(service.images / known.path)],
              camera='door', track='t9')
    assert gallery.get([known.id])[0] == [replace(known, camera='door')]


def test_a_picture_whose_file_is_gone_can_be_added_again(service, tmp_path):
    hashed(service)
    (service.images / 'crops/red-blue.png').rename(tmp_path / 'kept.png')
    report = add_crops(service, service.images / 'added', [str(tmp_path / 'kept.png')])
    assert (report.count, report.present) == (1, 0)
    assert str(report) == 'One picture added.'


def test_a_picture_that_the_gallery_does_not_take_is_not_kept(service, tmp_path, monkeypatch):
    def full(*_):
        raise OSError('the disk is full')

    paint('purple', size=(20, 50)).save(tmp_path / 'new.png')
    monkeypatch.setattr(service.inferencer.gallery, 'upsert', full)
    with pytest.raises(Refused, match='the disk is full'):
        add_crops(service, service.images / 'added', [str(tmp_path / 'new.png')])
    assert not list((service.images / 'added').iterdir())


@pytest.mark.parametrize('folder', ['added', '.added'])
def test_what_visitors_added_survives_a_prune(service, tmp_path, folder):
    gallery = service.inferencer.gallery
    service.inferencer.index(service.images, progress=False)
    paint('purple', size=(20, 50)).save(tmp_path / 'new.png')
    uploads = service.images / folder
    add_crops(service, uploads, [str(tmp_path / 'new.png')], camera='door')
    before = {entry.id: entry for entry in gallery.entries()}
    assert len(before) == len(set(entry.path for entry in before.values()))
    report = service.inferencer.index(service.images, prune=True, progress=False)
    assert report.removed == 0 and {entry.id: entry for entry in gallery.entries()} == before
    for file in uploads.iterdir():
        file.rename(file.with_suffix('.gone'))
    (uploads / 'other.png').write_bytes((tmp_path / 'new.png').read_bytes())
    report = service.inferencer.index(uploads, prune=True, prune_most=True, progress=False)
    assert (report.indexed, report.removed) == (1, 1)


def test_uploads_must_lie_with_the_images_and_are_off_by_default(service, tmp_path):
    pytest.importorskip('gradio')
    with pytest.raises(BadValue, match='must be kept inside'):
        build_page(service.inferencer, service.images, tmp_path / 'elsewhere')
    with pytest.raises(BadValue, match='red-blue.png: a file; name a folder'):
        check_uploads(service.images, service.images / 'crops/red-blue.png')
    names = {fn.api_name for fn in build_page(service.inferencer, service.images).fns.values()
             if fn.api_visibility == 'public'}
    assert names == {'search', 'similar', 'explain'}


@pytest.mark.parametrize('port', [None, 99_999])
def test_an_address_that_cannot_be_listened_at_is_named(service, port):
    pytest.importorskip('gradio')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = port or taken.getsockname()[1]
        with pytest.raises(UserError, match=f'127.0.0.1:{port}: the page cannot') as caught:
            serve(service.inferencer, service.images, port=port, wait=False)
    assert isinstance(caught.value, OSError)
