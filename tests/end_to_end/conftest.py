"""A cure for a folder of tests that is taken for a package."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_folder_of_tests_for_a_package():
    """MMEngine looks for ``mmtbps.datasets.X`` as ``datasets.X`` first, and finds tests/datasets.

    LanceDB would then take it for the package of that name.
    """
    yield
    if getattr(sys.modules.get('datasets'), '__file__', '') is None:
        del sys.modules['datasets']
