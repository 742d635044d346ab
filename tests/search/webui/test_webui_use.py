"""The page on a phone, by keyboard alone, and by the rules for those who cannot see it."""

import pytest
from fakes import paint
from webui_rig import ask, open_page, people

PHONE, DESK = dict(width=390, height=844), dict(width=1280, height=900)
SIZES = pytest.mark.parametrize('size', [PHONE, DESK], ids=['phone', 'desk'])


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """A page that no test changes."""
    pytest.importorskip('gradio')
    with open_page(tmp_path_factory.mktemp('use')) as opened:
        yield opened
        assert opened.searcher.gallery.count() == 6


@pytest.fixture
def scheme():
    """Colours of the visitor's system."""
    return 'light'


@pytest.fixture
def tab(browser, shared, size, scheme):
    """A tab of a size on the page."""
    context = browser.new_context(viewport=size, color_scheme=scheme)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    opened.errors = []
    opened.on('pageerror', lambda error: opened.errors.append(str(error)))
    opened.goto(shared.url)
    opened.wait_for_selector('#ask textarea')
    yield opened
    assert not opened.errors
    context.close()


def focused(tab):
    """The selector of what has the focus, as far as the tests name it."""
    return tab.evaluate('''() => {
        const one = document.activeElement;
        return one.closest('#ask') ? 'ask' : one.dataset.pick ?? one.className ?? one.tagName }''')


def is_covered(tab, selector):
    """Tell whether an element is out of view, or something lies over its middle."""
    return tab.evaluate('''(selector) => {
        const one = document.querySelector(selector), box = one.getBoundingClientRect();
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return !top || !(one.contains(top) || top.contains(one)) }''', selector)


@SIZES
def test_the_page_uses_its_width_and_the_cards_say_who_and_where(tab, size):
    tab.wait_for_function("document.activeElement.closest('#ask')")
    ask(tab, 'red coat, blue trousers')
    grid = tab.locator('.people').bounding_box()
    assert grid['width'] > .8 * size['width']
    assert tab.evaluate('document.documentElement.scrollWidth') <= size['width']
    card = tab.inner_text('.card >> nth=0')
    assert 'red-blue.png' in card and 'c1' in card and '2024-01-01' in card


@pytest.mark.parametrize('size, way', [
    pytest.param(PHONE, 'Escape', marks=pytest.mark.slow), (PHONE, 'back'),
    pytest.param(PHONE, 'cross', marks=pytest.mark.slow), (DESK, 'Escape'),
    pytest.param(DESK, 'cross', marks=pytest.mark.slow)],
    ids=['phone, Escape', 'phone, back', 'phone, cross', 'desk, Escape', 'desk, cross'])
def test_a_person_up_close_opens_in_view_and_closes(tab, size, way):
    ask(tab, 'red coat, blue trousers')
    tab.click('.card[data-pick=red-black]')
    tab.wait_for_selector('.person h2:has-text("red-black.png")')
    box = tab.locator('.person h2').bounding_box()
    assert 0 <= box['y'] < size['height'] / 2 and not is_covered(tab, '.person h2')
    if size is PHONE:
        assert is_covered(tab, '.card[data-pick=red-blue]') and focused(tab) == 'close'
        assert tab.get_attribute('#close-up', 'role') == 'dialog'
    {'Escape': lambda: tab.keyboard.press('Escape'), 'back': tab.go_back,
     'cross': lambda: tab.click('.person .close')}[way]()
    tab.wait_for_selector('.person', state='hidden')
    assert focused(tab) == 'red-black' and not is_covered(tab, '.card[data-pick=red-blue]')
    assert tab.title() == 'Person search' and tab.locator('.card').count() == 6
    tab.click('.card[data-pick=red-blue]')  # and once more
    tab.wait_for_selector('.person h2:has-text("red-blue.png")')
    assert not is_covered(tab, '.person h2')


@pytest.mark.parametrize('size', [
    pytest.param(PHONE, marks=pytest.mark.slow), DESK, dict(width=844, height=390)],
    ids=['phone', 'desk', 'phone, sideways'])
def test_a_person_far_down_opens_in_view(tab, size):
    ask(tab, 'red coat, blue trousers')
    tab.evaluate("""() => { const grid = document.querySelector('.grid');
        for (let row = 0; row < 30; row++) grid.append(grid.children[row].cloneNode(true)) }""")
    tab.locator('.card').last.click()
    tab.wait_for_selector('.person img.heat')
    assert tab.evaluate('scrollY') > 0 or size is not DESK
    box = tab.locator('.person h2').bounding_box()
    assert 0 <= box['y'] < size['height'] / 2 and not is_covered(tab, '.person h2')
    tab.locator('#more').hover()  # which scrolls to it, and waits until nothing lies over it
    tab.keyboard.press('Escape')
    tab.wait_for_selector('.person', state='hidden')
    assert tab.evaluate('document.documentElement.scrollWidth') <= size['width']


@SIZES
def test_a_visit_by_keyboard_alone(tab, size):
    tab.wait_for_function("document.activeElement.closest('#ask')")
    tab.keyboard.type('red coat, blue trousers')
    tab.keyboard.press('Enter')
    tab.wait_for_selector('.card')
    for _ in range(20):
        tab.keyboard.press('Tab')
        if focused(tab) == 'red-blue':
            break
    assert focused(tab) == 'red-blue'
    tab.keyboard.press('Enter')
    tab.wait_for_selector('.person img.heat')
    for _ in range(20):
        if 'More like this' in tab.evaluate('document.activeElement.innerText'):
            break
        tab.keyboard.press('Tab')
    tab.keyboard.press('Enter')
    tab.wait_for_selector('.people h2:has-text("People like red-blue.png")')
    if size is PHONE:
        tab.wait_for_selector('.person', state='hidden')
        assert not is_covered(tab, '.people h2')


@pytest.mark.parametrize('size, scheme', [
    (DESK, 'light'), (PHONE, 'dark'), pytest.param(DESK, 'dark', marks=pytest.mark.slow),
    pytest.param(PHONE, 'light', marks=pytest.mark.slow)],
    ids=['desk, light', 'phone, dark', 'desk, dark', 'phone, light'])
def test_no_serious_fault_for_those_who_do_not_see_well(tab, size):
    axe = pytest.importorskip('axe_playwright_python.sync_playwright',
                              reason='axe-playwright-python is not installed').Axe()
    found = {}

    def look():
        tab.wait_for_function("""() => !document.querySelector('.pending, .waiting')
            && document.getAnimations().every((one) => one.playState !== 'running')""")
        answer = axe.run(tab).response
        assert len(answer['passes']) > 10
        for fault in answer['violations']:
            if fault['impact'] in ('serious', 'critical'):
                found.setdefault(fault['id'], set()).update(
                    node['html'][:200] for node in fault['nodes'])

    look()
    tab.click('#filters button')
    tab.click('#add button')
    tab.click('#by-picture button')
    ask(tab, 'red coat, blue trousers')
    look()
    tab.click('.card[data-pick=red-black]')
    tab.wait_for_selector('.person img.heat')
    look()
    assert not found


@SIZES
def test_a_search_by_a_picture_alone_and_with_words(tab, size, shared, tmp_path):
    paint('red', 'black', size=(300, 800)).save(tmp_path / 'someone.png')
    (tmp_path / 'none.png').write_text('no picture')
    tab.click('#by-picture button')
    tab.wait_for_selector('#picture .drop')
    assert tab.evaluate('''() => { const drop = document.querySelector('#picture .drop');
        return drop.scrollWidth <= drop.clientWidth }''')
    tab.set_input_files('#picture input', tmp_path / 'someone.png')
    tab.wait_for_selector('.people h2:has-text("People like the one in the picture")')
    assert people(tab)[0] == 'red-black' and tab.locator('#picture img').count() == 1
    ask(tab, 'blue coat')
    assert 'with a picture: 50%, words: 50%' in tab.inner_text('.people header')
    both = shared.searcher.search_image(paint('red', 'black'), texts='blue coat', topk=20)[0].hits
    assert people(tab)[:2] == [hit.entry.id for hit in both][:2]
    tab.click('#picture .remove')
    tab.wait_for_selector('.people header:not(:has-text("with a picture"))')
    assert tab.inner_text('.people h2') == '“blue coat”'
    tab.click('#history button >> text=like the one in the picture')
    tab.wait_for_selector('#picture img')
    assert people(tab)[0] == 'red-black'
    tab.set_input_files('#picture input', tmp_path / 'none.png')
    tab.wait_for_selector('#picture .notice:has-text("no picture that your browser can read")')
    assert not shared.uploads.exists(), 'a picture to search by is not kept'
