"""Answers one can act on, in a real browser, wide and narrow: presence, marks, judgements."""

import pytest
from webui_rig import PEOPLE, ask, open_page, people

#: Of fewer people than eight nothing is said of presence.
CROWD = {**PEOPLE, **{f'{upper}-{lower}': ('c4', 1704585600. + place, None)
                      for place, (upper, lower) in enumerate([
                          ('black', 'white'), ('purple', 'red'), ('orange', 'green'),
                          ('white', 'black'), ('green', 'purple'), ('blue', 'yellow')])}}


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    with open_page(tmp_path_factory.mktemp('answers'), shown=CROWD, presence=True) as opened:
        yield opened


@pytest.fixture(params=[pytest.param((1280, 900), marks=pytest.mark.slow), (390, 800)],
                ids=['wide', 'narrow'])
def visitor(request, browser, page):
    context = browser.new_context(viewport=dict(zip(('width', 'height'), request.param,
                                                    strict=True)))
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.errors = []
    tab.on('pageerror', lambda error: tab.errors.append(str(error)))
    tab.goto(page.url)
    tab.wait_for_selector('#ask textarea')
    yield tab
    context.close()


def test_an_answer_says_who_is_there_and_what_holds(visitor):
    ask(visitor, 'a person in a red coat, no hat')
    header = visitor.inner_text('.people header')
    assert 'that the person is among the 12 searched (not calibrated)' in header
    assert 'marks by label-free bounds' in header
    first = '.card[data-pick="red-blue"] .marks'
    assert {mark.split()[-1] for mark in visitor.locator(f'{first} .mark').all_inner_texts()} == {
        'coat', 'hat'}
    label = visitor.get_attribute('.card[data-pick="red-black"]', 'aria-label')
    assert 'red coat: ' in label and label.endswith('no hat: unsure')  # without labels
    # All of the page fits, and so does each mark into its card.
    assert visitor.evaluate('document.documentElement.scrollWidth <= window.innerWidth')
    assert visitor.evaluate('''() => [...document.querySelectorAll('.card')].every(card => {
        const box = card.getBoundingClientRect()
        return [...card.querySelectorAll('.mark')].every(mark => {
            const own = mark.getBoundingClientRect()
            return own.left >= box.left - 1 && own.right <= box.right + 1})})''')
    assert not visitor.errors


def test_what_must_hold_and_what_was_marked_wrong_change_the_answer(visitor):
    ask(visitor, 'blue coat')
    assert 'blue' in people(visitor)[0]
    visitor.click('#filters button')
    visitor.locator('label:has-text("Must hold")').locator('input, textarea').fill('red coat')
    visitor.click('#go')
    visitor.wait_for_selector('.people header:has-text("must: red coat")')
    wrong = people(visitor)[0]
    assert 'red' in wrong
    visitor.click(f'.card[data-pick="{wrong}"]')
    visitor.wait_for_selector('#wrong')
    visitor.click('#wrong')
    visitor.wait_for_selector('.people header:has-text("1 marked wrong")')
    assert wrong not in people(visitor) and len(people(visitor)) == 11
    assert not visitor.errors
