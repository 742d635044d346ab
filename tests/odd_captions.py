"""Captions of all kinds, ordinary and odd, for tests of a tokenizer."""

import random
import unicodedata

#: One of each oddity, in words.
ODD = [
    '', ' ', '\n', 'A', '!', 'A man in a RED coat, black jeans and white sneakers.',
    "The woman's wearing a T-shirt; she'll carry it'S 2nd bag... I'd've'nt 'quoted'",
    'born 1984, size 42, 3/4 sleeves, 100%', 'naïve café, Ångström, élève, Straße',
    'e\u0301te\u0301 a\u030a', 'ΟΔΥΣΣΕΥΣ ΟΔΟΣ Σ', 'İstanbul ı', '人物 穿着 红色外套',
    'コート ｺｰﾄ ＦＵＬＬ ｗｉｄｔｈ！', 'ﬁne oﬀ ĳs ŉ ǅ ﬅ', '“curly” ‘quotes’ it’s', '½ ² ٣ Ⅻ ①',
    '🧥 👩🏽‍🦰 🏴󠁧󠁢󠁷󠁬󠁳󠁿 a🧥b',
    '&amp; &lt;b&gt; &amp;amp;amp;amp;lt; &EACUTE; &eacute &#233; &#x1F600; &#1; &hellip;',
    '<b>bold</b> &amp;amp;amp;amp; &EACUTE;', 'one\n<two> &amp;amp;amp; \nthree &EACUTE;',
    '&notit; &NOTIN;', '<|endoftext|>', 'a <|startoftext|> b <|endoftext|> c', '<|ENDOFTEXT|>',
    '<|mask|> jekyll', '\x1b[36;44mred\x1b[0m \x00a\x07b\x7f',
    'tab\there\r\nnew\rline\x0b\x0c\x1c', 'a\u2028b\u2029c',
    'zero\u200bwidth\ufeffmark\xa0space\u3000wide', '\ufffd\ufffc\u206a', "man'ſ ſ a\u0345b",
    '\ud83e\udde5 \udc80', 'the ' * 300, 'x' * 500, 'antidisestablishmentarianism ' * 40,
    '?!?!... --- ### $$$ @home #coat_2 a_b', 'Пальто красное', '\u05d0\u05d3\u05d5\u05dd أحمر',
    'สีแดง ลาล']
#: Texts that were read in a wrong encoding, or look like it.
MISREAD = [
    'cafÃ©', 'â€œredâ€\x9d', 'itâ€™s', 'Ãœber', 'voilÃ ', 'Â£5', 'ðŸ§¥ coat', 'a\x85b',
    '&Atilde;&copy;', 'É” and ß“', 'ÀÉ', 'её…', 'Ã\xa0 la mode', 'РїР°Р»СЊС‚Рѕ',
    'L&Atilde;&nbsp;', 'itâ\x80\x99s', 'ÃƒÂ©']
_WORDS = ('a the man woman in red Blue coat jeans, shoes. t-shirt (white) her his carrying bag '
          "she's it'll 2 42 & - / wearing striped SHORT hair").split()
_RANGES = ((0x20, 0x7f), (0xa1, 0x250), (0x20, 0x7f), (0x370, 0x530), (0x3040, 0x3100),
           (0x4e00, 0x9f00), (0x1f300, 0x1f650), (0x2000, 0x2070))


def draw_captions(count: int, seed: int = 0, misread: bool = False) -> list[str]:
    """Draw captions: ordinary ones, mixtures with oddities, and plain noise of assigned characters.

    Args:
        count: of captions.
        seed: of the draws.
        misread: mix in texts that were read in a wrong encoding.
    """
    draw = random.Random(seed)
    odd = ODD + MISREAD if misread else ODD

    def noise() -> str:
        first, last = draw.choice(_RANGES)
        sign = chr(draw.randrange(first, last))
        if unicodedata.category(sign) in ('Cn', 'Co'):
            return '?'
        # Two side by side might be bytes of UTF-8, which are another matter.
        return sign if misread or sign.isascii() else f'{sign}x'

    captions = []
    for _ in range(count):
        kind, length = draw.random(), draw.randrange(1, 30)
        if kind < 0.4:
            captions.append(' '.join(draw.choice(_WORDS) for _ in range(length)))
        elif kind < 0.8:
            captions.append(draw.choice([',', ' ', '  ']).join(
                draw.choice(draw.choice([_WORDS, odd])) for _ in range(length // 4)))
        else:
            captions.append(' '.join(''.join(noise() for _ in range(draw.randrange(1, 6)))
                                     for _ in range(length // 2)))
    return captions
