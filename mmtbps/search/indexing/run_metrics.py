"""Metrics of an index run for Prometheus, as a file that its node exporter collects."""

import os

from mmtbps.errors import MissingPackage
from mmtbps.fileio import write_durably

from .report import IndexReport

__all__ = ['check_metrics', 'write_metrics']


def check_metrics() -> None:
    """Make sure that metrics can be written, before the work that they tell of.

    Raises:
        MissingPackage: prometheus_client is not installed.
    """
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        raise MissingPackage('metrics need prometheus_client: pip install "mmtbps[metrics]"'
                             ) from error


def write_metrics(path: str | os.PathLike, gallery: str, report: IndexReport, entries: int,
                  begun: float, ended: float, shard: str = '0/1') -> None:
    """Write the file of a run that came to its end; that of an earlier one stays if none did.

    How far a gallery is behind is ``time() - mmtbps_index_current_until_timestamp_seconds``: each
    file that was whole when the last complete run began is in the gallery, or was named as skipped.

    Args:
        path: Of the file, ``*.prom`` in the folder that the node exporter's textfile collector
            reads.
        gallery: Its address, a label of each metric.
        report: Of the run.
        entries: Of the gallery, after it.
        begun: Second since 1970 at which the run began to look for files.
        ended: Second since 1970 at which it ended.
        shard: The part of the files, a label of each metric.

    Raises:
        MissingPackage: prometheus_client is not installed.
        OSError: The disk refuses.
    """
    check_metrics()
    from prometheus_client import CollectorRegistry, Gauge, generate_latest
    registry = CollectorRegistry()

    def gauge(name: str, says: str, *further: str) -> Gauge:
        return Gauge(f'mmtbps_index_{name}', says, ['gallery', 'shard', *further],
                     registry=registry)

    gauge('current_until_timestamp_seconds', 'Files that were whole before this second are in the '
          'gallery.').labels(gallery, shard).set(begun)
    gauge('run_seconds', 'Length of the last complete run.').labels(gallery, shard).set(
        ended - begun)
    gauge('entries', 'People in the gallery after it.').labels(gallery, shard).set(entries)
    files = gauge('files', 'Files and people of the last complete run.', 'state')
    for state, count in dict(indexed=report.indexed, unchanged=report.unchanged,
                             replaced=report.replaced, removed=report.removed,
                             skipped=len(report.skipped)).items():
        files.labels(gallery, shard, state).set(count)
    write_durably(path, generate_latest(registry))
