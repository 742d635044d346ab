"""A small gallery of painted people to ask."""

import pytest
from fakes import ColorEncoder, paint_folder

from mmtbps.search import TextToPersonInferencer


@pytest.fixture
def searcher(tmp_path, request):
    """A searcher in a gallery of the people that a test file lists: ``NAMES = ('red', ...)``."""
    paint_folder(tmp_path / 'crops', *request.module.NAMES)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'people')
    searcher.index(tmp_path / 'crops')
    return searcher
