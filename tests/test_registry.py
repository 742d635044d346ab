"""The child registries of MMEngine's roots."""

import pytest

from mmtbps import registry


@pytest.mark.parametrize('name', registry.__all__)
def test_nobody_is_told_that_the_package_is_not_installed(name, monkeypatch):
    """MMEngine says so of a registry that has no locations."""
    said = []
    monkeypatch.setattr('mmengine.logging.print_log',
                        lambda message, *_, **__: said.append(message))
    child = getattr(registry, name)
    monkeypatch.setattr(child, '_imported', False)
    child.import_from_location()
    assert not [line for line in said if 'not installed' in line]
