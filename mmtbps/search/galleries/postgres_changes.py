"""Changes of a gallery in PostgreSQL since a former look, by the numbers of transactions."""

from typing import Any, NamedTuple

__all__ = ['WRITTEN', 'Mark', 'has_numbers', 'written_since']

#: Column of the transaction that has written a row. Its index keeps no row, only the least and the
#: greatest number of some pages, and costs the writers next to nothing.
WRITTEN = 'written'


class Mark(NamedTuple):
    """Place in the order of transactions.

    Args:
        table: Its object number, which another table of the same name has not.
        first: The oldest transaction that had not ended: all before it were seen.
    """

    table: int
    first: int


def has_numbers(connection: Any, table: str) -> bool:
    """Tell whether the rows of a table have the numbers; those of earlier versions have none."""
    return connection.execute(
        'select exists (select from pg_attribute where attrelid = to_regclass(%s) and attname = '
        '%s and not attisdropped)', [table, WRITTEN]).fetchone()[0]


def written_since(connection: Any, table: str, since: Mark | None) -> tuple[list[str], Mark | None]:
    """Read the entries of rows that were written since a mark; all where that cannot be told.

    Rows of transactions that were under way at the mark are among them, seen or not.

    Args:
        connection: In a transaction.
        table: Its name.
        since: Of the former call.

    Returns:
        The entries as they are stored, and the mark for the next call.
    """
    mark = _mark_now(connection, table)  # first: what is committed after it counts as new again
    asked, values = f'select entry from {table}', []
    if mark is not None and since is not None and since.table == mark.table and (
            since.first <= mark.first):
        asked, values = f'{asked} where {WRITTEN} >= %s', [since.first]
    return [text for text, in connection.execute(asked, values)], mark


def _mark_now(connection: Any, table: str) -> Mark | None:
    """Return the mark of this moment; None without numbers, or with those of another server."""
    if not has_numbers(connection, table):
        return None
    number, oldest, is_copy = connection.execute(
        'select to_regclass(%s)::oid::bigint, txid_snapshot_xmin(txid_current_snapshot()), exists '
        '(select from pg_subscription_rel where srrelid = to_regclass(%s))',
        [table, table]).fetchone()
    return None if is_copy else Mark(number, oldest)
