"""Names of strangers in the output: nothing acts on the terminal, nothing is lost."""

import io
import json
import sys

import pytest

from mmtbps.commands.wording.printing import as_json
from mmtbps.commands.wording.user_errors import one_line_errors
from mmtbps.errors import printable

#: What acts, and its escape.
ACTING = {'\n': '\\n', '\r': '\\r', '\x1b]0;t\x07': '\\x1b]0;t\\x07', '\x9b2J': '\\x9b2J',
          '\u202e': '\\u202e', '\u2028': '\\u2028', '\ufeff': '\\ufeff', '\udcff': '\\udcff',
          '\u200b': '\\u200b', '\0': '\\x00', '\U000e0041': '\\U000e0041', '\t': '\\t'}
HARMLESS = ['Größe', '穿红衣服\u3000', 'می\u200cخواهم', '👩\u200d🦰', "it's <b> \"here\" \\ "]


@pytest.mark.parametrize('text, escape', ACTING.items(), ids=map(ascii, ACTING))
def test_what_acts_on_a_terminal_is_an_escape(text, escape):
    assert printable(f'a{text}b') == f'a{escape}b'


@pytest.mark.parametrize('text', HARMLESS)
def test_words_of_any_language_stay(text):
    assert printable(text) == text


@pytest.mark.parametrize('encoding', ['utf-8', 'UTF8', 'cp1252', 'ascii', None])
def test_json_reads_back_as_it_was_in_any_encoding(encoding):
    value = {text: [text, 1] for text in [*ACTING, *HARMLESS, '\\x41']}
    text = as_json(value, encoding)
    assert json.loads(text.encode(encoding or 'ascii').decode(encoding or 'ascii')) == value
    assert not [sign for sign in '\x1b\x9b\u202e\u2028' if sign in text]


@pytest.mark.parametrize('encoding', ['cp1252', 'ascii', 'utf-8'])
def test_a_sign_that_the_output_lacks_does_not_end_a_command(encoding, monkeypatch):
    for name in ('stdout', 'stderr'):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors='strict')
        monkeypatch.setattr(sys, name, stream)
    with one_line_errors():
        print('1  0.999  服\udcff.jpg')
    sys.stdout.flush()
    shown = sys.stdout.buffer.getvalue().decode(encoding)
    assert shown == ('1  0.999  服\\udcff.jpg\n' if encoding == 'utf-8'
                     else '1  0.999  \\u670d\\udcff.jpg\n')
