"""Index of the features of a gallery in PostgreSQL: built on request, its recall measured."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmtbps.errors import BadValue, printable

from .filters import Condition, OneOf, Range
from .postgres_table import where_clause

if TYPE_CHECKING:
    from .postgres import PostgresGallery

__all__ = ['FEW', 'INDEX_DIMS', 'VectorIndex']

#: A search that so few entries pass is exact and loses nobody, in a quarter of a second.
FEW = 80_000
#: Longest features of an index, in half precision from `_FULL_DIMS` on; set by pgvector.
INDEX_DIMS, _FULL_DIMS = 4_000, 2_000
#: With the default of 40 candidates most people of a filter are lost.
_SETTINGS = {'hnsw.iterative_scan': 'relaxed_order', 'hnsw.ef_search': '1000',
             'hnsw.max_scan_tuples': '200000'}
_MOST_HITS = 1_000
_QUERIES, _HITS = 50, 10
_ROUGH = .8


class VectorIndex:
    """HNSW index of a table.

    Args:
        table: Its name.
    """

    def __init__(self, table: str) -> None:
        self.table, self.name = table, f'{table}_vector'

    def check(self, kind: str, dim: int) -> None:
        """Check that an index can be built.

        Raises:
            BadValue: There is no such kind, or features are too long for it.
        """
        if kind not in ('hnsw', 'none'):
            raise BadValue(f'an index of PostgreSQL is hnsw or none, got {kind!r}')
        if kind == 'hnsw' and dim > INDEX_DIMS:
            raise BadValue(f'an index holds features of at most {INDEX_DIMS} numbers, got {dim}; '
                           'search stays exact')

    def order(self, dim: int) -> str:
        """Write the order of nearness that the index knows."""
        return '{} <#> %s{}'.format(*(('vector', '') if dim <= _FULL_DIMS else (
            f'(vector::halfvec({dim}))', f'::vector::halfvec({dim})')))

    def build(self, connection: Any, dim: int) -> None:
        """Build it; others go on reading and writing meanwhile."""
        rows, = connection.execute(f'select count(*) from {self.table}').fetchone()
        megabytes = min(max(64, rows * (4 * dim + 400) // (1 << 20)), 8_192)
        connection.execute(f"set maintenance_work_mem = '{megabytes}MB'")
        column = ('vector vector_ip_ops' if dim <= _FULL_DIMS else
                  f'(vector::halfvec({dim})) halfvec_ip_ops')
        try:
            connection.execute(f'create index concurrently {self.name} on {self.table} '
                               f'using hnsw ({column}) with (m = 16, ef_construction = 64)')
        except BaseException:
            self.drop(connection)  # half of one is left, and is no use
            raise

    def drop(self, connection: Any) -> None:
        """Drop it, if it is there."""
        connection.execute(f'drop index if exists {self.name}')

    def is_there(self, connection: Any) -> bool:
        """Tell whether it is there, and whole."""
        return connection.execute(
            'select coalesce((select indisvalid from pg_index where indexrelid = '
            'to_regclass(%s)), false)', [self.name]).fetchone()[0]

    def describe(self, connection: Any) -> str:
        """Word it."""
        return 'HNSW' if self.is_there(connection) else 'none, exact'

    def helps(self, connection: Any, topk: int, conditions: tuple[Condition, ...]) -> bool:
        """Tell whether a search is to go by the index, and set it up for this transaction."""
        if topk > _MOST_HITS or not self.is_there(connection):
            return False
        clause, values = where_clause(conditions)
        passed, = connection.execute(
            f'select count(*) from (select from {self.table} {clause} limit {FEW + 1}) as passed',
            values).fetchone()
        if passed <= FEW:
            return False
        for name, value in _SETTINGS.items():
            connection.execute('select set_config(%s, %s, true)', [name, value])
        return True

    def measure(self, gallery: 'PostgresGallery') -> list[str]:
        """Measure recall under several filters, by what lies as pictures and as sentences do.

        Returns:
            A line each.
        """
        features = _some_features(gallery)
        if not len(features):
            return ['no recall: the gallery has no entries']
        kinds = dict(sentence=queries_like_sentences(features),
                     picture=queries_like_pictures(features))
        lines = []
        for name, conditions in _filters(gallery):
            if gallery._count(conditions) == 0:  # a camera that was off at that time
                continue
            told = {kind: self._recall(gallery, queries, conditions)
                    for kind, queries in kinds.items()}
            indexed = any(by_index for _, by_index in told.values())
            recalls = ', '.join(f'{recall:.3f} by {kind}' for kind, (recall, _) in told.items())
            lines.append(f'recall of the first {_HITS}, {name}: {recalls}'
                         + ('' if indexed else ' (few entries: searched exactly)'))
        return lines

    def _recall(self, gallery: 'PostgresGallery', queries: np.ndarray,
                conditions: tuple[Condition, ...]) -> tuple[float, bool]:
        """Compare a search with an exact one; tell whether it goes by the index."""
        with gallery._asking() as connection:
            indexed = self.helps(connection, _HITS, conditions)
            found, exact = ([[row[2] for row in gallery._nearest(
                connection, vector, _HITS, conditions, way)] for vector in queries]
                for way in (indexed, False))
        return float(np.mean([share_as_near(some, right)
                              for some, right in zip(found, exact, strict=True)])), indexed


def share_as_near(found: Sequence[float], exact: Sequence[float]) -> float:
    """Compute the share of hits that are as near as the last of the right ones.

    Of pictures that are all the same it does not matter which are found.

    Args:
        found: Scores of the hits.
        exact: Scores of the right ones, at least one.

    Example:
        >>> share_as_near([.9, .9, .5], [.9, .9, .9])
        0.6666666666666666
    """
    near = sum(score >= min(exact) - 1e-6 for score in found)
    return min(near, len(exact)) / len(exact)


def queries_like_pictures(features: np.ndarray) -> np.ndarray:
    """Make queries that are nobody's feature: the middle of two.

    Args:
        features: ``(4Q, D)`` unit features of a gallery, in no order.

    Returns:
        ``(Q, D)`` float32 unit queries.
    """
    first, second = np.split(np.float64(features), 4)[:2]
    return _unit(first + second, first)


def queries_like_sentences(features: np.ndarray) -> np.ndarray:
    """Make queries that lie as features of sentences do, which are harder for an index.

    Sentences share none of what all pictures have in common, but lie together elsewhere; and what
    they say of a person is rough: here it is off by most of the way between two people. On drawn
    features of 512 numbers, 100,000 entries, their recall was .92, where that of drawn sentences
    was .91 and that of the middles of two .96.

    Args:
        features: ``(4Q, D)`` unit features of a gallery, in no order.

    Returns:
        ``(Q, D)`` float32 unit queries.
    """
    person, _, one, other = np.split(np.float64(features), 4)
    common = np.mean(features, axis=0, dtype=np.float64)
    length = np.linalg.norm(common)
    elsewhere = np.random.default_rng(0).normal(size=len(common))
    elsewhere -= common * (elsewhere @ common) / max(length ** 2, 1e-12)
    elsewhere *= length / max(np.linalg.norm(elsewhere), 1e-12)
    return _unit(person - common + _ROUGH * (one - other) + elsewhere, person)


def _unit(queries: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Bring queries to length one; what is next to nothing is another one."""
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    return np.where(lengths > 1e-3, queries / np.maximum(lengths, 1e-3), otherwise).astype('f4')


def _some_features(gallery: 'PostgresGallery') -> np.ndarray:
    """Fetch features of entries whose names tell nothing of each other, ``(4Q, D)``."""
    with gallery._asking() as connection:
        rows = connection.execute(f'select vector from {gallery._table} order by md5(id), id '
                                  f'limit {4 * _QUERIES}').fetchall()
    features = np.array([row[0].to_numpy() for row in rows], np.float32)
    return np.resize(features, (4 * min(_QUERIES, len(rows)), gallery.dim))


def _filters(gallery: 'PostgresGallery') -> Sequence[tuple[str, tuple[Condition, ...]]]:
    """Choose filters: none, the largest and the smallest camera, a tenth of the time."""
    chosen: list[tuple[str, tuple[Condition, ...]]] = [('no filter', ())]
    with gallery._asking() as connection:
        cameras = [row[0] for row in connection.execute(
            f'select camera from {gallery._table} where camera is not null group by camera '
            'order by count(*) desc').fetchall()]
        ends = connection.execute(
            'select percentile_disc(array[0.45, 0.55]) within group (order by time) '
            f'from {gallery._table}').fetchone()[0]
    for camera in dict.fromkeys([*cameras[:1], *cameras[-1:]]):
        chosen.append((f'camera {printable(camera)}', (OneOf('camera', (camera, )), )))
    if ends and None not in ends:
        middle = Range('time', *ends)
        chosen.append(('a tenth of the time', (middle, )))
        if cameras:
            chosen.append((f'camera {printable(cameras[0])} in a tenth of the time',
                           (OneOf('camera', (cameras[0], )), middle)))
    return chosen
