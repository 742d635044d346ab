"""A process that has loaded the package, for all campaigns."""

import pytest
from killed_processes import Tools


@pytest.fixture(scope='session')
def tools():
    with Tools() as preloaded:
        yield preloaded
