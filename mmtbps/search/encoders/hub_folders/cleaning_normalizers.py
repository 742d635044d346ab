"""Cleanings of captions as normalizers of a tokenizer, which then needs no code of ours."""

import string
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['cleaning_normalizers']


def cleaning_normalizers(clean: str | None) -> list[dict[str, Any]]:
    """Return the normalizers, as in a ``tokenizer.json``, that clean as a cleaning of ours does.

    HTML entities other than the five of XML and the no-break space, text that was read in a wrong
    encoding, and letters of another width are beyond them: these stay as they are.

    Args:
        clean: name, see `mmtbps.lexicon.caption_cleaning`.

    Raises:
        BadValue: there is no such cleaning.

    Example:
        >>> cleaning_normalizers('lower')
        [{'type': 'Lowercase'}]
    """
    if clean not in _CLEANINGS:
        raise BadValue(f'the cleaning {clean!r} of captions cannot be written into a tokenizer; '
                       f'known are {", ".join(map(repr, _CLEANINGS))}')
    return list(_CLEANINGS[clean])


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return dict(type='Replace', pattern=dict(Regex=pattern), content=content)


_LOWER = dict(type='Lowercase')
_SPACES = [_replace(r'\s+', ' '), dict(type='Strip', strip_left=True, strip_right=True)]
#: Twice, as OpenAI's cleaning does; an ampersand last, so that it makes no other. HTML takes most of
#: these without their last sign too.
_ENTITIES = [_replace(f'&(?:{names};?|#{number}(?!\\d);?)', sign) for names, number, sign in (
    ('(?:lt|LT)', 60, '<'), ('(?:gt|GT)', 62, '>'), ('(?:quot|QUOT)', 34, '"'),
    ('(?:apos|APOS)(?=;)', 39, "'"), ('(?:nbsp|NBSP(?=;))', 160, ' '), ('(?:amp|AMP)', 38, '&'))]
_SIGNS = [_replace('[\u02bc\u2018-\u201b]', "'"), _replace('[\u201c-\u201f]', '"'),
          _replace('[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]', ''), dict(type='NFC')]
_WHITESPACE = [*_ENTITIES, *_ENTITIES, *_SIGNS, *_SPACES]
_ASCII = ''.join(f'\\{sign}' for sign in string.punctuation)
_SIGLIP = [_LOWER, _replace(f'[{_ASCII}]', ''), *_SPACES]
_CLEANINGS: dict[str | None, list[dict[str, Any]]] = {
    None: [], 'lower': [_LOWER], 'siglip': _SIGLIP, 'whitespace': _WHITESPACE,
    'clip': [*_WHITESPACE, _LOWER],
    'canonicalize': [*_WHITESPACE, _replace('_', ' '), *_SIGLIP],
    # Its limit of 77 words is beyond what CLIP reads.
    'tbps_clip': [_LOWER, _replace(r'[.!"()*#:;~]', ' '), *_WHITESPACE, _LOWER]}
