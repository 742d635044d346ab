"""Metrics of the page for Prometheus, at a port of their own that visitors do not reach."""

from collections.abc import Callable, Iterator
from typing import Any

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.version import __version__

from ..galleries.base import BaseGallery
from .observed import AnsweredQuery
from .server import AddressNotFree

__all__ = ['PageMetrics', 'parse_metrics_address']

_SECONDS = (.005, .01, .025, .05, .1, .25, .5, 1., 2.5, 5., 10., 30.)


class PageMetrics:
    """Counts and times of questions, and the size of the gallery; an observer of the page.

    ==================================  =========  ================================================
    name                                kind       says
    ==================================  =========  ================================================
    ``mmtbps_queries_total``            counter    questions by ``kind`` and ``outcome``
    ``mmtbps_query_seconds``            histogram  their times by ``kind``
    ``mmtbps_gallery_up``               gauge      1 if the gallery answers, 0 if not
    ``mmtbps_gallery_entries``          gauge      its entries, if it answers
    ``mmtbps_page_info``                gauge      1, with the ``version``
    ==================================  =========  ================================================

    Args:
        gallery: Of the page; it is asked at each look at the metrics.

    Raises:
        MissingPackage: prometheus_client is not installed.
    """

    def __init__(self, gallery: BaseGallery) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise MissingPackage('metrics need prometheus_client: pip install "mmtbps[metrics]"'
                                 ) from error
        self.registry = prometheus.CollectorRegistry()
        self._queries = prometheus.Counter(
            'mmtbps_queries', 'Questions by kind and outcome.', ['kind', 'outcome'],
            registry=self.registry)
        self._seconds = prometheus.Histogram(
            'mmtbps_query_seconds', 'Seconds from question to answer.', ['kind'],
            buckets=_SECONDS, registry=self.registry)
        prometheus.Info('mmtbps_page', 'Version of the page.', registry=self.registry).info(
            dict(version=__version__))
        self.registry.register(_GalleryCollector(gallery))

    def __call__(self, query: AnsweredQuery) -> None:
        """Count a question."""
        self._queries.labels(query.kind, query.outcome).inc()
        self._seconds.labels(query.kind).observe(query.seconds)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Answer ``/metrics`` at an address until the returned function is called.

        Raises:
            AddressNotFree: Nothing can listen there.
        """
        from prometheus_client import start_http_server
        try:
            server, thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise AddressNotFree(f'{host}:{port}: the metrics cannot be shown at this address: '
                                 f'{error.strerror or error}; name another port') from error

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close


class _GalleryCollector:
    """Collector that asks the gallery when somebody looks."""

    def __init__(self, gallery: BaseGallery) -> None:
        self.gallery = gallery

    def describe(self) -> list[Any]:
        """List nothing: the gallery is not asked before somebody looks."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield whether the gallery answers, and its size."""
        from prometheus_client.core import GaugeMetricFamily
        try:
            entries = self.gallery.count()
        except Exception:  # of any kind: each engine has its own
            entries = None
        yield GaugeMetricFamily('mmtbps_gallery_up', 'Whether the gallery answers.',
                                value=float(entries is not None))
        if entries is not None:
            yield GaugeMetricFamily('mmtbps_gallery_entries', 'People in the gallery.',
                                    value=float(entries))


def parse_metrics_address(text: str) -> tuple[str, int]:
    """Read ``PORT`` or ``HOST:PORT``; without a host it is this machine alone.

    Raises:
        BadValue: It is neither.

    Example:
        >>> parse_metrics_address('9187'), parse_metrics_address('0.0.0.0:9187')
        (('127.0.0.1', 9187), ('0.0.0.0', 9187))
    """
    host, _, port = text.rpartition(':')
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadValue(f'{text}: metrics are shown at PORT or HOST:PORT, such as 9187')
    return host.strip('[]') or '127.0.0.1', int(port)
