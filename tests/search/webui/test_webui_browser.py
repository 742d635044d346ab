"""The page in a real browser: what a visitor does, and that nothing leaves the machine."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from fakes import paint
from PIL import Image
from reverse_proxy import proxy_of, read_snippet
from webui_rig import ask, free_port, open_page, people

from mmtbps.search.galleries import open_gallery


@pytest.fixture
def visitor(browser, server):
    """A tab on the page, with all it asks for in ``requested`` and its errors in ``errors``."""
    context = browser.new_context(viewport=dict(width=1280, height=900))
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    tab.requested, tab.errors = [], []
    tab.on('request', lambda request: tab.requested.append(request.url))
    tab.on('pageerror', lambda error: tab.errors.append(str(error)))
    tab.goto(server.url)
    tab.wait_for_selector('#ask textarea')
    yield tab
    context.close()


def test_a_visit(visitor, tmp_path):
    visitor.wait_for_selector('text=Whom are you looking for?')

    ask(visitor, 'red coat, blue trousers')
    assert people(visitor)[0] == 'red-blue' and len(people(visitor)) == 6
    assert visitor.evaluate('''() => [...document.querySelectorAll('.card img')].every(
        image => image.complete && image.naturalWidth > 0)''')

    visitor.click('.card[data-pick=red-blue]')
    visitor.wait_for_selector('.person img.heat')
    assert visitor.get_attribute('.card[data-pick=red-blue]', 'aria-pressed') == 'true'
    assert 'red-blue.png' in visitor.inner_text('.person h2')
    assert 'c1' in visitor.inner_text('.person dl')

    visitor.click('#more')
    visitor.wait_for_selector('.people h2:has-text("People like red-blue.png")')
    assert 'red-blue' not in people(visitor) and people(visitor)[0] == 'red-black'

    visitor.click('#history button >> text=red coat')
    visitor.wait_for_selector('.people h2:has-text("red coat, blue trousers")')
    assert people(visitor)[0] == 'red-blue'
    assert visitor.eval_on_selector_all('#history button', 'all => all.length') == 2

    visitor.click('.card[data-pick=red-black]')
    visitor.wait_for_selector('.person h2:has-text("red-black.png")')
    visitor.wait_for_selector('.person img.heat')
    visitor.screenshot(path=tmp_path / 'page.png')
    with Image.open(tmp_path / 'page.png') as picture:
        assert picture.size == (1280, 900) and len(picture.convert('RGB').getcolors(1 << 24)) > 100

    hosts = {urlsplit(url).netloc for url in visitor.requested if not url.startswith('data:')}
    assert hosts == {urlsplit(visitor.url).netloc} and visitor.url.startswith('http://127.0.0.1:')
    assert not visitor.errors


def test_filters_narrow_the_answer_and_return_with_the_history(visitor):
    visitor.click('#filters button')
    visitor.click('#cameras input')
    visitor.click('[role=option]:has-text("c3")')
    visitor.keyboard.press('Escape')
    ask(visitor, 'green trousers')
    assert sorted(people(visitor)) == ['blue-orange', 'white-green']
    assert 'camera c3' in visitor.inner_text('.people header')

    visitor.fill('label:has-text("From") textarea', '2030-01-01')
    visitor.click('#go')
    visitor.wait_for_selector('text=Nobody found')
    assert not people(visitor)

    visitor.fill('label:has-text("From") textarea', 'soon')
    visitor.click('#go')
    visitor.wait_for_selector('.notice:has-text("soon")')

    visitor.click('#history button >> nth=1')
    visitor.wait_for_selector('.card')
    assert sorted(people(visitor)) == ['blue-orange', 'white-green']
    assert visitor.input_value('label:has-text("From") textarea') == ''


def test_a_visitor_adds_a_person_and_finds_them(visitor, server, tmp_path):
    paint('purple', 'yellow', size=(20, 50)).save(tmp_path / 'new.png')
    (tmp_path / 'bad.png').write_text('no picture')
    visitor.click('#add button')
    visitor.set_input_files('#add input[type=file]', [tmp_path / 'new.png', tmp_path / 'bad.png'])
    visitor.wait_for_selector('#add >> text=bad')
    visitor.fill('#add label:has-text("Camera") textarea', '<b>door</b>')
    visitor.click('#add-button')
    visitor.wait_for_selector('#said >> text=One picture added. bad.png: ')
    visitor.wait_for_selector('#masthead >> text=7 pictures from 4 cameras')
    ask(visitor, 'purple shirt, yellow trousers')
    assert '<b>door</b>' in visitor.inner_text('.card >> nth=0')


def test_the_list_of_cameras_follows_and_keeps_what_is_chosen(visitor, server, tmp_path):
    visitor.click('#filters button')
    visitor.click('#cameras input')
    visitor.click('[role=option]:has-text("c3")')
    visitor.keyboard.press('Escape')
    ask(visitor, 'green trousers')
    gallery = open_gallery(server.searcher.gallery.uri)  # as another program has it
    entries = [replace(entry, camera='<b>\u202e\x1b')
               for entry in gallery.entries({'camera': 'c3'})]
    gallery.upsert(entries, gallery.get([entry.id for entry in entries])[1])
    paint('purple', 'yellow', size=(20, 50)).save(tmp_path / 'new.png')
    visitor.click('#add button')
    visitor.set_input_files('#add input[type=file]', tmp_path / 'new.png')
    visitor.wait_for_selector('#add >> text=new')
    visitor.click('#add-button')
    visitor.wait_for_selector('#masthead >> text=7 pictures')
    visitor.click('#go')
    visitor.wait_for_selector('text=Nobody passes the filters (camera c3).')
    visitor.click('#cameras input')
    assert [name.split()[-1] for name in visitor.locator('[role=option]').all_inner_texts()] == [
        '<b>\\u202e\\x1b', 'c1', 'c2', 'c3']
    visitor.click('[role=option]:has-text("<b>")')
    visitor.keyboard.press('Escape')
    ask(visitor, 'green trousers')
    assert sorted(people(visitor)) == ['blue-orange', 'white-green']
    visitor.reload()
    visitor.wait_for_selector('#masthead >> text=7 pictures')  # what has loaded names the cameras
    visitor.click('#filters button')
    visitor.click('#cameras input')
    assert 'c3' not in visitor.locator('[role=option]').all_inner_texts()


@pytest.mark.slow
def test_seven_tabs_of_one_browser_all_answer(browser, server):
    """A browser has six connections to a host: none may be held by a tab that waits."""
    context = browser.new_context()
    tabs = []
    for number in range(7):
        tabs.append(context.new_page())
        tabs[-1].set_default_timeout(20_000)
        tabs[-1].goto(server.url)
        ask(tabs[-1], f'red coat {number}')
    ask(tabs[0], 'green trousers')
    assert len(people(tabs[0])) == 6
    context.close()


@pytest.mark.slow
def test_a_visit_behind_a_reverse_proxy(browser, tmp_path_factory, tmp_path):
    location, directives = read_snippet()
    port = free_port()
    public = f'http://people.localhost:{port}/people'
    paint('purple', 'yellow', size=(20, 50)).save(tmp_path / 'new.png')
    with open_page(tmp_path_factory.mktemp('proxied'), public_url=public) as page, proxy_of(
            page.url, port, location, directives):
        context = browser.new_context()
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        requested = []
        tab.on('request', lambda request: requested.append(request.url))
        tab.goto(f'{public}/')
        ask(tab, 'red coat, blue trousers')
        assert people(tab)[0] == 'red-blue'
        tab.click('#add button')
        tab.set_input_files('#add input[type=file]', [tmp_path / 'new.png'])
        tab.wait_for_selector('#add >> text=new')
        tab.click('#add-button')
        tab.wait_for_selector('#said >> text=One picture added.')
        context.close()
    asked = [url for url in requested if not url.startswith(('data:', 'blob:'))]
    assert asked and all(url.startswith(f'{public}/') for url in asked)


def test_hostile_words_are_shown_as_they_are(visitor):
    hostile = '<img src=x onerror=document.title=1>${document.title=2}{{value}} red'
    visitor.fill('#ask textarea', hostile)
    visitor.press('#ask textarea', 'Enter')
    visitor.wait_for_selector('.card')
    assert visitor.inner_text('.people h2') == f'“{hostile}”'
    assert visitor.title() == 'Person search' and not visitor.errors
    visitor.fill('#ask textarea', '   ')
    visitor.click('#go')
    visitor.wait_for_selector('.notice:has-text("Describe the person")')
