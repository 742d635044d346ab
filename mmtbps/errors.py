"""Errors that are the user's to mend, as data that any program can word."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['BadValue', 'MissingFile', 'MissingKey', 'MissingPackage', 'Notice', 'RecordError',
           'Remedy', 'SeveralFaults', 'UserError', 'first_line', 'printable']

#: Control signs, ends of lines, signs without width and of the reading direction, half characters,
#: tags. The joiners of Persian and of emoji are none of them.
_ACTING = re.compile('[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e'
                     '\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]')


@dataclass(frozen=True)
class Remedy:
    """A command that would mend an error. The library knows no command line: the caller words it.

    Args:
        action: Name of the command, such as ``'draw_dataset'``.
        arguments: Values to fill in, by name.

    Example:
        >>> Remedy('draw_dataset', dict(root='data/drawn')).arguments['root']
        'data/drawn'
    """

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Notice(str):
    """A line for the log, with the command that would change what it says.

    Args:
        text: The line.
        remedy: The command, if there is one.
        warning: Whether something is probably wrong.
    """

    remedy: Remedy | None
    warning: bool

    def __new__(cls, text: str, remedy: Remedy | None = None, warning: bool = False) -> 'Notice':
        notice = super().__new__(cls, text)
        notice.remedy, notice.warning = remedy, warning
        return notice


class UserError(Exception):
    """Base of every fault that is the user's to mend: a path, a value, a file, a missing package.

    A command line prints it in one line; any other exception is a fault of the program and keeps
    its traceback. Mixed into a built-in error, so that ``except ValueError`` keeps its meaning.

    Args:
        message: The file, record or key at fault, what was expected, and the fix.
        remedy: The command that mends it, if there is one.
    """

    def __init__(self, message: str = '', remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class SeveralFaults(UserError):
    """Base of an error that names everything that is wrong, so that all can be mended at once.

    Args:
        problems: an error for each fault.

    Attributes:
        heading: The line before them; a subclass has its own.
    """

    heading = 'several faults:'

    def __init__(self, problems: list[UserError]) -> None:
        super().__init__('\n'.join([self.heading, *(f'  - {problem}' for problem in problems)]))
        self.problems = problems

    def __reduce__(self) -> tuple:
        return type(self), (self.problems, )


class BadValue(UserError, ValueError):
    """A setting, an option or the content of a file that cannot be used."""


class MissingFile(UserError, FileNotFoundError):
    """A file or folder that was named and is not there."""


class MissingKey(UserError, KeyError):
    """A key that an item or a setting needs and does not have."""

    def __str__(self) -> str:  # a KeyError shows its message in quotes
        return Exception.__str__(self)


class MissingPackage(UserError, ImportError):
    """An optional package that this part needs and that is not installed."""


class RecordError(BadValue):
    """A record of a file that cannot be read; the message names file, record and key."""


def first_line(error: Exception, most: int = 160) -> str:
    """Return the first line of an error's text, or the name of its type if it has none.

    Args:
        error: Of any kind, such as a library's with a page of advice.
        most: Letters of it.

    Example:
        >>> first_line(RuntimeError('no such key\\nPlease report this')), first_line(ValueError())
        ('no such key', 'ValueError')
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:most]


def printable(text: str, escape: Callable[[str], str] = ascii) -> str:
    """Write as escapes what would act on a terminal, end a line, or turn the reading direction.

    Names of files and what stands in a table are strangers' text; a line break in one would forge
    a line of its own.

    Args:
        text: To print in one line.
        escape: Writes one sign as an escape in quotes, such as `json.dumps`.

    Example:
        >>> printable('a.jpg\\n\\x1b]0;title'), printable('Größe 服')
        ('a.jpg\\\\n\\\\x1b]0;title', 'Größe 服')
    """
    return _ACTING.sub(lambda sign: escape(sign[0])[1:-1], text)
