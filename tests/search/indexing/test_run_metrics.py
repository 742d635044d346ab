"""Metrics of an index run: a file that Prometheus reads, only of runs that came to their end."""

import sys

import pytest

from mmtbps.errors import MissingPackage
from mmtbps.search.indexing.report import IndexReport
from mmtbps.search.indexing.run_metrics import check_metrics, write_metrics


def test_prometheus_reads_the_run(tmp_path):
    parser = pytest.importorskip('prometheus_client.parser')
    report = IndexReport(indexed=7, unchanged=90, replaced=2, removed=1,
                         skipped=[('a.jpg', 'broken'), ('b.jpg', 'broken')])
    address = 'people"\n.lance'  # a label that needs an escape
    write_metrics(tmp_path / 'new/index.prom', address, report, 96, 1000.5, 1003., '1/2')
    text = (tmp_path / 'new/index.prom').read_text()
    samples = [sample for family in parser.text_string_to_metric_families(text)
               for sample in family.samples]
    assert all((sample.labels['gallery'], sample.labels['shard']) == (address, '1/2')
               for sample in samples)
    found = {(sample.name.removeprefix('mmtbps_index_'), sample.labels.get('state')): sample.value
             for sample in samples}
    assert found == {('current_until_timestamp_seconds', None): 1000.5, ('run_seconds', None): 2.5,
                     ('entries', None): 96, ('files', 'indexed'): 7, ('files', 'unchanged'): 90,
                     ('files', 'replaced'): 2, ('files', 'removed'): 1, ('files', 'skipped'): 2}
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['index.prom']


def test_without_its_package_nothing_is_begun(monkeypatch):
    monkeypatch.setitem(sys.modules, 'prometheus_client', None)
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[metrics\]"'):
        check_metrics()
