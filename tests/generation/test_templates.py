"""Texts with names in braces: the names that they may use and those that they must."""

import pytest

from mmtbps.errors import BadValue
from mmtbps.generation.templates import check_template


@pytest.mark.parametrize('text', ['plain', '{a}', '{a} {b} {a}', '{{c}} {a}', '{a!r:>4}'])
def test_texts_may_use_the_names_there_are(text):
    check_template(text, ['a', 'b'])


@pytest.mark.parametrize('text', ['{c}', '{}', '{0}', '{a.upper}', '{a[0]}', '{a[x]}', '{a', 'a}',
                                  '{a:d}', '{a:{c}}', '{a!z}', None, 3])
def test_other_names_and_broken_braces_are_refused(text):
    with pytest.raises(BadValue, match='^an instruction may use {a} and {b}, got '):
        check_template(text, ['a', 'b'])


def test_a_needed_name_that_is_missing_is_named():
    check_template('{a} {b}', ['a', 'b', 'c'], needed=['a', 'b'])
    with pytest.raises(BadValue, match='^a question must use {a} and {b}, got .only {a}'):
        check_template('only {a}', ['a', 'b', 'c'], needed=['a', 'b'], what='a question')
    with pytest.raises(BadValue, match='must use {a}, got .none {{a}}'):
        check_template('none {{a}}', ['a', 'b'], needed=['a'])
