"""Texts with names in braces, such as instructions, checked before any model is asked."""

from collections.abc import Sequence
from string import Formatter

from mmtbps.errors import BadValue

__all__ = ['check_template']


def check_template(text: str, fields: Sequence[str], needed: Sequence[str] = (),
                   what: str = 'an instruction') -> None:
    """Refuse a text that asks for a value there is none of, or does without one that it needs.

    Args:
        text: As ``str.format`` reads it.
        fields: Names it may use in braces.
        needed: Those of them that it must use.
        what: Begins the error.

    Raises:
        BadValue: If it uses other names or lacks one, or its braces do not match.

    >>> check_template('make the {noun} {new_color}', ['noun', 'new_color'])
    >>> check_template('make the {cloth} new', ['noun', 'region'])
    Traceback (most recent call last):
    mmtbps.errors.BadValue: an instruction may use {noun} and {region}, got 'make the {cloth} new'
    """
    try:
        text.format(**dict.fromkeys(fields, ''))
        used = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        used = {''}
    if not used <= set(fields):
        raise BadValue(f'{what} may use {_listed(fields)}, got {text!r}')
    if not used >= set(needed):
        raise BadValue(f'{what} must use {_listed(needed)}, got {text!r}')


def _listed(names: Sequence[str]) -> str:
    """Word a list of names in braces.

    >>> _listed(['noun']), _listed(['noun', 'region', 'caption'])
    ('{noun}', '{noun}, {region} and {caption}')
    """
    words = [f'{{{name}}}' for name in names]
    return ' and '.join(filter(None, [', '.join(words[:-1]), words[-1]]))
