"""Numbers of people that are named, numbered, or both."""

import pytest

from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.errors import RecordError
from mmtbps.records import Entry


def numbers_of(*names):
    numbers = PersonNumbers()
    return [numbers.take(Entry(dict(id=name), f'a.json, record {i}'), 'id')
            for i, name in enumerate(names, start=1)]


@pytest.mark.parametrize('names, expected', [
    (('b', 'a', 'b'), [0, 1, 0]), ((7, '7', '12', 0), [7, 7, 12, 0]), ((-3,), [-3]),
    (('²', 'x'), [0, 1])])
def test_names_are_counted_and_numbers_stay(names, expected):
    assert numbers_of(*names) == expected


@pytest.mark.parametrize('names, message', [
    ((1, 'a'), "record 2: key 'id' is 'a', and a number in a.json, record 1"),
    (('a', 1), "record 2: key 'id' is 1, and other records name people, such as 'a'"),
    (('01',), "record 1: key 'id' is '01', which is a number to some .*; write 1"),
    ((True,), "record 1: key 'id' must be an integer, got True"),
    (('',), "record 1: key 'id' must be an integer, got ''"), ((None,), 'must be an integer'),
    ((1.5,), 'must be an integer'), ((2**54,), r'must lie within 2\*\*53'),
    (('9' * 20,), "key 'id' must"), ((['a'],), 'must be an integer')])
def test_what_is_neither_is_named(names, message):
    with pytest.raises(RecordError, match=message):
        numbers_of(*names)
