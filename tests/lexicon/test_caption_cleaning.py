"""Cleaning of captions, against ftfy where it is installed."""

import builtins
import html

import pytest
from odd_captions import MISREAD, ODD, draw_captions

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.lexicon.caption_cleaning import clean_clip, clean_tbps_clip, find_cleaning


@pytest.mark.parametrize('raw, clean', [
    ('', ''), ('  A\tMan \n in  RED ', 'a man in red'), ('\u201cit\u2019s\u201d', '"it\'s"'),
    ('&amp;amp;amp;amp;lt;', '<'), ('< &amp;amp;amp;lt;', '< &amp;lt;'),
    ('&EACUTE; &eacute &#233; &notanentity;', 'é é é \xacanentity;'),
    ('e\u0301', 'é'), ('\x1b[1mred\x1b[0m\x07', 'red'), ('ＦＵＬＬ\u3000x', 'full x'),
    ('ﬁne', 'fine'), ('a\r\nb\u2028c', 'a b c'), ('\ud83e\udde5 \udc80', '\U0001f9e5 \ufffd'),
    ('ΟΣ Σ', 'ος σ'), ('<|endoftext|>', '<|endoftext|>')])
def test_a_caption_is_cleaned(raw, clean):
    assert clean_clip(raw) == clean


@pytest.mark.parametrize('seed', [1, 2])
def test_cleaning_equals_ftfys(seed):
    ftfy = pytest.importorskip('ftfy')
    for text in [*ODD, *MISREAD, *draw_captions(2000, seed, misread=True)]:
        expected = html.unescape(html.unescape(ftfy.fix_text(text)))
        assert clean_clip(text) == ' '.join(expected.split()).lower(), repr(text)


@pytest.fixture
def without_ftfy(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split('.')[0] == 'ftfy':
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)


@pytest.mark.parametrize('text', MISREAD)
def test_without_ftfy_a_misread_text_is_an_error_and_never_another_text(text, without_ftfy):
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[clip\]"'):
        clean_clip(text)


def test_no_other_text_needs_ftfy(without_ftfy):
    for text in [*ODD, *draw_captions(500, 3)]:
        clean_clip(text)
    for text in ('café, noël, größe', '\u201cred\u201d coat', 'it\u2019s', 'Ça va? À la mode!',
                 'mężczyzna w niebieskiej kurtce', 'красное пальто'):
        clean_clip(text)


def test_tbps_clip_drops_punctuation_and_cuts_to_77_words():
    assert clean_tbps_clip('A "man": (RED) coat; T-shirt, his 2 * #bags~ and/or?!\n') == (
        'a man red coat t-shirt, his 2 bags and/or?')
    assert clean_tbps_clip('Word. ' * 100).split(' ') == ['word'] * 77


def test_siglip_drops_all_punctuation():
    assert find_cleaning('siglip')(" A man's\tT-shirt, (red)! café“ ") == 'a mans tshirt red café“'
    assert find_cleaning('lower')('A  Man.') == 'a  man.'


@pytest.mark.parametrize('name, cleaned', [
    ('aptm', 'a man s t shirt 2 bags and a person caf'),
    ('rasa', 'a mans t shirt 2 bags and a person café'),
    ('blip', "a man's t-shirt, 2 bags and/a <person> café ?")])
def test_cross_encoders_clean_as_published(name, cleaned):
    text = " A man's T-shirt, (2) bags;\t and/a <person> caf\u00e9!?\n"
    assert find_cleaning(name)(text) == cleaned


def test_an_unknown_cleaning_is_named():
    assert find_cleaning(None)(' A ') == ' A '
    with pytest.raises(BadValue, match="'irra'"):
        find_cleaning('irra')
