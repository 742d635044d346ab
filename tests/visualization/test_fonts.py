"""Text on pictures: no empty boxes for signs that a font does not have."""

import numpy as np
import pytest

from mmtbps.visualization import fonts
from mmtbps.visualization.fonts import font_for, with_glyphs


def ink(text, size=18):
    return np.asarray(font_for(text, size).getmask(text))


@pytest.mark.parametrize('text', ['Größe, née', 'a man\u200c in red', "it's 100 %"])
def test_signs_that_a_font_has_stay(text):
    assert with_glyphs(text) == text and ink(text).any()


def test_signs_that_no_font_has_become_escapes():
    assert with_glyphs('a\U000f0000\ufffeb') == 'a\\U000f0000\\ufffeb'
    assert with_glyphs('one\n two\x1b[2J') == 'one two\\x1b[2J'


def test_the_font_is_the_one_with_most_of_the_signs(monkeypatch):
    has = {0: 'abc', 1: 'abcжя', 2: 'abжя服'}
    monkeypatch.setattr(fonts, '_files', lambda: (None, 'x', 'y'))
    monkeypatch.setattr(fonts, '_has_glyph', lambda number, sign: sign in has[number])
    loaded = []
    monkeypatch.setattr(fonts, '_load', lambda number, size: loaded.append(number))
    for text in ('a b', 'жa', 'ж服', 'c服'):
        font_for(text, 12)
    assert loaded == [0, 1, 2, 0]
    assert with_glyphs('c服') == 'c\\u670d' and with_glyphs('a服') == 'a服'
