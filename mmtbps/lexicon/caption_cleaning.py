"""Cleaning of a caption before CLIP's tokenizer, as published models were trained with.

CLIP cleans by the package ftfy. Of its steps only one is more than a table: text that was read in a
wrong encoding, such as ``cafÃ©``, is mended by a heuristic. So the others stand here, and ftfy is
asked only where a text holds characters that such an accident makes. Without ftfy that is an error,
never other tokens.
"""

import html
import re
import string
import unicodedata
from collections.abc import Callable
from functools import cache
from html.entities import html5

from mmtbps.errors import BadValue, MissingPackage

__all__ = ['CLEANINGS', 'clean_aptm', 'clean_blip', 'clean_canonicalize', 'clean_clip',
           'clean_rasa', 'clean_siglip', 'clean_tbps_clip', 'clean_whitespace', 'find_cleaning']

_ENTITY = re.compile(r'&#?[0-9A-Za-z]{1,24};')
_TERMINAL_ESCAPE = re.compile('\x1b\\[[0-9;]*[a-zA-Z]')
_LINES = re.compile('[^\n]*\n|[^\n]+')
_LINE_BREAK = re.compile('\r\n|[\r\u2028\u2029]')
_SURROGATES = re.compile('[\ud800-\udfff]+')
# Characters of ftfy's tables: removed, taken apart, of another width, made straight.
_REMOVED = [*range(0x09), 0x0b, *range(0x0e, 0x20), 0x7f, *range(0x206a, 0x2070), 0xfeff,
            *range(0xfff9, 0xfffd)]
_LIGATURES = [0x132, 0x133, 0x149, *range(0x1c4, 0x1cd), *range(0x1f1, 0x1f4),
              *range(0xfb00, 0xfb07)]
_WIDTHS = [0x3000, *range(0xff01, 0xfff0)]
_STRAIGHT = {**dict.fromkeys([0x2bc, *range(0x2018, 0x201c)], "'"),
             **dict.fromkeys(range(0x201c, 0x2020), '"')}
_CHARACTERS = {**dict.fromkeys(_REMOVED),
               **{code: unicodedata.normalize('NFKC', chr(code))
                  for code in (*_LIGATURES, *_WIDTHS)},
               0xfb05: 'ſt', **_STRAIGHT}
# UTF-8 as it looks in bytes: whole, with a space where a no-break space was, or with a byte lost.
_WHOLE = b'[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}'
_SPACED = (_WHOLE + b'|[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\xbf]|[\xe0-\xe3][\x80-\xbf] '
           b'|\xf0[\x80-\xbf ]{3}')
_LOSSY = (_SPACED + b'|[\xc2-\xdf]\x1a|[\xc2\xc3][?]|[\xe0-\xef][\x80-\xbf\x1a?]{2}'
          b'|[\xf0-\xf4][\x80-\xbf\x1a?]{3}')
_ENCODINGS = {
    **dict.fromkeys(('cp1252', 'cp1251', 'cp1250', 'cp1253', 'cp1254', 'cp1257'), _LOSSY),
    **dict.fromkeys(('latin-1', 'iso-8859-2', 'cp437'), _SPACED), 'mac_roman': _WHOLE}
_NOT_ALONE = re.compile('[\x80-\x9f]|[^\0-\x7f][^\0-\x19\x1b-\x1f!->@-\x7f]')
_PUNCTUATION = str.maketrans(dict.fromkeys('.!"()*#:;~', ' '))
_NO_PUNCTUATION = str.maketrans('', '', string.punctuation)
_TBPS_CLIP_WORDS = 77
_NO_WORD = re.compile('[^0-9a-z]+')
_RASA_MARKS = str.maketrans({**dict.fromkeys(',.\'!?"()*#:;~'), '-': ' ', '/': ' '})


def clean_clip(text: str) -> str:
    """Clean a caption as CLIP's tokenizer does before it splits words.

    Learning Transferable Visual Models From Natural Language Supervision,
    https://arxiv.org/abs/2103.00020: ftfy, HTML entities twice, white space, lower case.

    Raises:
        MissingPackage: The text may have been read in a wrong encoding, and ftfy is missing.

    Example:
        >>> clean_clip('A  \u201cred\u201d coat &amp; a CAF\u00c9 cup\\n')
        'a "red" coat & a café cup'
    """
    return clean_whitespace(text).lower()


def clean_whitespace(text: str) -> str:
    """Clean a caption as `clean_clip` does, and keep its capitals, as some models of open_clip do.

    Raises:
        MissingPackage: As `clean_clip`.

    Example:
        >>> clean_whitespace('A  \u201cRED\u201d coat &amp; hat')
        'A "RED" coat & hat'
    """
    return ' '.join(html.unescape(html.unescape(_fix_text(text))).split())


def clean_canonicalize(text: str) -> str:
    """Clean a caption as the SigLIP models of open_clip do: `clean_clip`, then no punctuation.

    Raises:
        MissingPackage: As `clean_clip`.

    Example:
        >>> clean_canonicalize("A dark_blue T-shirt &amp; a hat.")
        'a dark blue tshirt a hat'
    """
    return clean_siglip(clean_whitespace(text).replace('_', ' '))


def clean_tbps_clip(text: str) -> str:
    """Clean a caption as TBPS-CLIP does: without most punctuation, at most 77 words.

    An Empirical Study of CLIP for Text-based Person Search, https://arxiv.org/abs/2308.10045.

    Raises:
        MissingPackage: As `clean_clip`.

    Example:
        >>> clean_tbps_clip('A man: red coat, dark-blue jeans.')
        'a man red coat, dark-blue jeans'
    """
    text = clean_blip(text)
    return clean_clip(' '.join(text.split(' ')[:_TBPS_CLIP_WORDS]))


def clean_aptm(text: str) -> str:
    """Clean a caption as APTM does on ICFG-PEDES and RSTPReid: lower case, letters and digits.

    Towards Unified Text-based Person Retrieval, https://arxiv.org/abs/2306.02898.

    Example:
        >>> clean_aptm("A man's T-shirt, size 42.")
        'a man s t shirt size 42'
    """
    return ' '.join(_NO_WORD.sub(' ', text.lower()).split())


def clean_rasa(text: str) -> str:
    """Clean a caption as RaSa and ALBEF do: lower case, marks deleted, hyphens a space.

    RaSa, https://arxiv.org/abs/2305.13653.

    Example:
        >>> clean_rasa("A man's T-shirt: red/blue, with a <person>.")
        'a mans t shirt red blue with a person'
    """
    text = text.lower().translate(_RASA_MARKS).replace('<person>', 'person')
    return ' '.join(text.split())


def clean_blip(text: str) -> str:
    """Clean a caption as BLIP does: lower case, most marks a space, hyphens and commas kept.

    BLIP, https://arxiv.org/abs/2201.12086.

    Example:
        >>> clean_blip("A man: red coat, dark-blue jeans!")
        'a man red coat, dark-blue jeans'
    """
    return re.sub(r'\s{2,}', ' ', text.lower().translate(_PUNCTUATION)).rstrip('\n').strip(' ')


def clean_siglip(text: str) -> str:
    """Clean a caption as SigLIP does: lower case, no ASCII punctuation, single spaces.

    Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343.

    Example:
        >>> clean_siglip("A  man's T-shirt.")
        'a mans tshirt'
    """
    return ' '.join(text.lower().translate(_NO_PUNCTUATION).split())


#: Cleanings by the name that a config gives. SigLIP 2 takes lower case and no other cleaning.
CLEANINGS: dict[str | None, Callable[[str], str]] = {
    None: str, 'aptm': clean_aptm, 'blip': clean_blip, 'canonicalize': clean_canonicalize,
    'clip': clean_clip, 'lower': str.lower, 'rasa': clean_rasa, 'siglip': clean_siglip,
    'tbps_clip': clean_tbps_clip, 'whitespace': clean_whitespace}


def find_cleaning(name: str | None) -> Callable[[str], str]:
    """Return the cleaning of a name; the text as it is for ``None``.

    Raises:
        BadValue: There is none of this name.

    Example:
        >>> find_cleaning('clip')('A  Man')
        'a man'
    """
    if name not in CLEANINGS:
        known = ', '.join(repr(known) for known in CLEANINGS)
        raise BadValue(f'clean must be one of {known}; got {name!r}')
    return CLEANINGS[name]


def _fix_text(text: str) -> str:
    """Do what ``ftfy.fix_text`` does, by ftfy itself where the encoding may be wrong."""
    fixed, unescape = [], True
    for line in _LINES.findall(text):
        unescape = unescape and '<' not in line
        former = None
        while line != former:
            former = line
            if unescape:
                line = _ENTITY.sub(_entity, line)
            if _may_be_misread(line):
                return _ftfy(text)
            line = _fix_characters(line)
        fixed.append(line)
    return ''.join(fixed)


def _fix_characters(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_BREAK.sub('\n', text)
    text = _SURROGATES.sub(_join_surrogates, text)
    text = _TERMINAL_ESCAPE.sub('', text).translate(_CHARACTERS)
    return unicodedata.normalize('NFC', text)


def _entity(match: re.Match) -> str:
    """Decode an HTML entity, also one in capitals; leave it if it is none."""
    entity, name = match[0], match[0][1:]
    if entity.startswith('&#'):
        decoded = html.unescape(entity)
        return entity if ';' in decoded else decoded
    if name in html5:
        return html5[name]
    if name.isupper() and name.lower() in html5 and html.unescape(entity) == entity:
        return html5[name.lower()].upper()
    return entity


def _join_surrogates(match: re.Match) -> str:
    return match[0].encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')


def _may_be_misread(text: str) -> bool:
    """Tell whether a text holds what UTF-8 looks like in a one-byte encoding."""
    if not _NOT_ALONE.search(text):
        return False
    return any('\x80' <= sign <= '\x9f' for sign in text) or any(
        pattern.search(text.translate(table).encode('latin-1')) for table, pattern in _tables())


class _Bytes(dict):
    """Byte of each character in a one-byte encoding, as a character; 0 for those it lacks."""

    def __init__(self, encoding: str) -> None:
        super().__init__({code: code for code in range(0x80)})
        self[0xfffd] = 0x1a
        for byte in range(0x80, 0x100):
            # A byte without a character is read as in Latin-1, as browsers do.
            sign = bytes([byte]).decode(encoding, 'ignore') or chr(byte)
            self[ord(sign)] = byte

    def __missing__(self, code: int) -> int:
        return 0


@cache
def _tables() -> list[tuple[_Bytes, re.Pattern]]:
    return [(_Bytes(name), re.compile(pattern)) for name, pattern in _ENCODINGS.items()]


def _ftfy(text: str) -> str:
    try:
        import ftfy
    except ImportError as error:
        raise MissingPackage(
            f'the caption {text[:80]!r} holds characters of a text that was read in a wrong '
            'encoding; CLIP mends these by ftfy. Correct them, or: '
            'pip install "mmtbps[clip]"') from error
    return ftfy.fix_text(text)
