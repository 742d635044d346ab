"""Every example in a docstring of the package does what it shows."""

import doctest
import importlib

import pytest
from source_tree import SOURCES, inside

MODULES = [path for path in SOURCES if '>>> ' in path.read_text('utf-8')]


@pytest.mark.parametrize('path', MODULES, ids=inside)
def test_examples_are_true(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = f'mmtbps/{inside(path)}'.removesuffix('.py').removesuffix('/__init__')
    module = importlib.import_module(file.replace('/', '.'))
    report, runner = [], doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test, out=report.append)
    assert runner.tries and not runner.failures, ''.join(report)
