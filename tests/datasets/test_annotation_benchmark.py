"""tools/benchmarks/annotations.py: every form is written as its reader reads it, and measured."""

import argparse
import importlib
from pathlib import Path


def test_every_form_is_read_and_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / 'tools'))
    benchmark = importlib.import_module('benchmarks.annotations')
    parser = argparse.ArgumentParser()
    benchmark.add_options(parser)
    # Processes of its own are measured; here the functions that run in them.
    monkeypatch.setattr(benchmark.multiprocessing, 'get_context', lambda _: Here())
    rows = benchmark.run(parser.parse_args(['--records', '80']))
    assert [row['data set'] for row in rows] == [
        'MALS', 'SYNTH-PEDES', 'LUPerson-MLLM', 'WebPerson', 'PAB']
    assert {row['records'] for row in rows} == {80}
    assert all(row['CPU s'] >= 0 and row['MB'] >= 0 for row in rows)


class Here:
    """A pool that runs what it is given in this process."""

    def Pool(self, processes):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End nothing."""

    def apply(self, task, arguments):
        return task(*arguments)
