"""Watch in a real browser, wide and narrow: rules, a trial, alarms that are marked, no rights."""

import contextlib

import pytest
from watch_page_rig import open_watch_page
from webui_rig import ask, people

from mmtbps.search.watching import read_rules
from mmtbps.search.watching.marks import read_marks

SIZES = {'wide': (1280, 900), 'narrow': (390, 844)}


@pytest.fixture(params=[pytest.param('wide', marks=pytest.mark.slow), 'narrow'], scope='module')
def page(request, tmp_path_factory):
    """A page of its own for each width, since visitors change it."""
    with open_watch_page(tmp_path_factory.mktemp(request.param)) as opened:
        opened.size = SIZES[request.param]
        yield opened


def visit(browser, page):
    width, height = page.size
    context = browser.new_context(viewport=dict(width=width, height=height))
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.errors = []
    tab.on('pageerror', lambda error: tab.errors.append(str(error)))
    tab.goto(page.url)
    tab.wait_for_selector('#ask textarea')
    return tab


def open_tab(tab, name):
    tab.click(f'button[role=tab]:has-text("{name}")')


def fits(tab):
    return tab.evaluate('''() => document.documentElement.scrollWidth <= window.innerWidth
        && [...document.querySelectorAll('.alarm, .rules li')].every(card => {
            const box = card.getBoundingClientRect()
            return box.left >= 0 && box.right <= window.innerWidth
                && card.scrollWidth <= card.clientWidth + 1
        })''')


def serious_faults(tab):
    """Faults of accessibility that axe finds, where it is installed."""
    with contextlib.suppress(ImportError):
        from axe_playwright_python.sync_playwright import Axe
        return [(fault['id'], [node['html'][:200] for node in fault['nodes']])
                for fault in Axe().run(tab).response['violations']
                if fault['impact'] in ('serious', 'critical')]
    return []


def write(tab, **fields):
    for name, text in fields.items():
        tab.locator(f'#rule-{name.replace("_", "-")}').locator('input, textarea').first.fill(text)


@pytest.fixture
def tab(browser, page):
    opened = visit(browser, page)
    yield opened
    assert not opened.errors
    opened.context.close()


def test_a_mark_of_an_alarm_changes_the_rate_of_its_rule(tab, page):
    open_tab(tab, 'Watch')
    tab.wait_for_selector('.alarm img')
    assert tab.locator('.alarm').count() == tab.locator('.rules li').count() == 2
    assert 'blue <b>' in tab.inner_text('#rules') and fits(tab)

    assert not serious_faults(tab)

    first = tab.get_attribute('.alarm', 'data-alarm')
    tab.click(f'[data-pick="false:{first}"]')
    tab.wait_for_selector('#rules dd:has-text("1 of 6 people: 16.6667%")')
    assert tab.get_attribute(f'[data-pick="false:{first}"]', 'aria-pressed') == 'true'
    assert read_marks(page.watch / 'marks.txt') == [first]


def test_a_rule_is_tried_saved_changed_in_its_place_and_removed(tab, page):
    open_tab(tab, 'Watch')
    tab.wait_for_selector('.rules li')
    write(tab, name='green', sentence='all in green', value='much', where='', cool_down='60')
    tab.click('#rule-save')
    tab.wait_for_selector('.notice:has-text("must be a number")')
    tab.click('#rule-bound input')
    tab.click('[role=option]:has-text("score at least")')
    write(tab, value='0.2')
    tab.click('#rule-try')
    tab.wait_for_selector('#trial .alarm img')
    assert 'nothing was sent' in tab.inner_text('#trial') and fits(tab)
    tab.click('#rule-save')
    tab.wait_for_selector('#rule-said :text("green is saved.")')
    tab.wait_for_selector('.rules li[data-rule="green"]')
    assert read_rules(page.rules)[-1].cool_down == 60.

    tab.click('.rules li[data-rule="green"] [data-pick^=edit]')
    tab.wait_for_function('document.querySelector("#rule-value textarea, #rule-value input")'
                          '.value === "0.2"')
    write(tab, value='0.7')
    tab.click('#rule-save')
    tab.wait_for_selector('.rules li[data-rule="green"] dd:has-text("min_score: 0.7")')
    assert [rule.name for rule in read_rules(page.rules)] == ['red coat', 'blue <b>', 'green']
    tab.click('.rules li[data-rule="green"] [data-pick^=remove]')
    tab.wait_for_selector('#rule-said :text("green is removed.")')
    assert len(read_rules(page.rules)) == tab.locator('.rules li').count() == 2


def test_searching_goes_on_beside_a_watch_also_up_close_on_a_phone(tab, page):
    open_tab(tab, 'Watch')
    open_tab(tab, 'Search')
    ask(tab, 'red coat, blue trousers')
    assert people(tab)[0] == 'red-blue'
    tab.click('.card[data-pick=red-blue]')
    tab.wait_for_selector('#close-up.open .person h2')
    assert tab.evaluate('document.querySelector("[role=tablist]").inert') == (page.size[0] < 760)
    box = tab.locator('#close-up').bounding_box()
    assert box['y'] >= 0 and box['width'] <= page.size[0]
    tab.click('#person .close')
    tab.wait_for_selector('#close-up', state='hidden')


def test_without_leave_there_is_nothing_to_change_with(browser, tmp_path):
    with open_watch_page(tmp_path, may_change=False) as opened:
        opened.size = SIZES['narrow']
        tab = visit(browser, opened)
        open_tab(tab, 'Watch')
        tab.wait_for_selector('.alarm img')
        assert not tab.locator('.alarm [data-pick], [data-pick^=remove], #rule-save').count()
        tab.click('.rules li[data-rule="red coat"] [data-pick^=edit]')
        tab.wait_for_function('document.querySelector("#rule-name textarea, #rule-name input")'
                              '.value === "red coat"')
        tab.click('#rule-try')
        tab.wait_for_selector('#trial .alarm')
        assert not tab.errors
        tab.context.close()
