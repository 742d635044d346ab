"""Sentences of a query before any model sees them."""

import unicodedata

import pytest

from mmtbps.lexicon.query_text import has_word, normalize_query


@pytest.mark.parametrize(('text', 'plain'), [
    ('a man in a red coat', 'a man in a red coat'),
    ('  A\u00a0man\n\tin  RED ', 'A man in RED'),
    ('\u201cred\u201d coat, the man\u2019s bag', '"red" coat, the man\'s bag'),
    ('\u00abred\u00bb coat of a \u2039man\u203a', '"red" coat of a \'man\''),
    ('the man\u00b4s T\u2011shirt, 5\u2032 tall', "the man's T-shirt, 5' tall"),
    ('\uff41 \uff4d\uff41\uff4e\uff0c\u3000\uff12 \uff22\uff41\uff47\uff53', 'a man, 2 Bags'),
    ('caf\u0065\u0301', 'caf\u00e9'), ('o\ufb03ce\u2026', 'office...'),
    ('a co\u200bat, \u00adre\ufeffd \x07man\x00', 'a coat, red man'),
    ('e\u200b\u0301', '\u00e9'),
    ('\u202ea man\u202c', 'a man'), ('coat\ufe0f\u200d', 'coat'),
    ('\u0645\u06cc\u200c\u062e\u0648', '\u0645\u06cc\u200c\u062e\u0648'),
    ('\u2764\ufe0f \U0001f468\u200d\U0001f466', '\u2764\ufe0f \U0001f468\u200d\U0001f466')])
def test_a_sentence_is_what_a_person_sees(text, plain):
    assert normalize_query(text) == plain


@pytest.mark.parametrize('text', [
    '', ' ', '\u00a0', '\u200b', '\u00ad', '\ufeff', '\u200d', '\ufe0f', '\x07', '\x00\x1b',
    '\u2800', '\u3164', '\uffa0', '\u115f\u1160', '\u034f', '\u2060\u2063', '\u061c',
    '\U000e0041\U000e007f', '\U000e0100', '\u180e', '\u2028', '\x85'])
def test_nothing_is_left_of_what_cannot_be_seen(text):
    assert normalize_query(text) == ''


def test_a_second_time_changes_nothing():
    for code in [*range(0xd800), *range(0xe000, 0x20000), *range(0xe0000, 0xe01f0)]:
        once = normalize_query(f'a{chr(code)} b')
        assert normalize_query(once) == once, hex(code)
        assert unicodedata.is_normalized('NFKC', once)


def test_a_word_is_a_letter_a_digit_or_an_emoji():
    assert all(map(has_word, ['a', '2', '\u7ea2', '\U0001f392', '\u0661']))
    assert not any(map(has_word, [
        '', '...', '?!', '\u3002', '- -', '\u0301', '\ue000', '\u2044', '\ufffd\ufffd',
        '\u25a0\u25a1', '\u250c\u2500', '\u2813\u2811', '\u2400', '\u02c8']))
