"""A real browser for the tests of the page, where there is one."""

import shutil

import pytest
from webui_rig import open_page

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--no-first-run']


@pytest.fixture(scope='module')
def browser():
    pytest.importorskip('gradio')
    playwright = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f'no browser: none of {", ".join(NAMES)} is on the PATH')
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def server(tmp_path_factory):
    with open_page(tmp_path_factory.mktemp('browser')) as opened:
        yield opened
