"""Errors as a command line prints them: one line, with the command that mends it."""

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Iterator
from typing import NoReturn

from mmtbps.errors import Remedy, UserError

from .command_names import as_typed

__all__ = ['COMMANDS', 'fail', 'one_line_errors', 'word_error', 'word_remedy']

#: Command line of each remedy the library may name; its arguments are filled in.
COMMANDS = {
    'allow_missing': 'add --allow-missing to the command (tools/test.py)',
    'begin_run': 'add --resume to go on with that run, or --overwrite to move it to old-DATE',
    'convert_weights': 'python tools/convert_weights.py {kind} SRC {target}',
    'draw_dataset': 'python tools/draw_dataset.py {root}',
    'export': 'python tools/export.py CONFIG CHECKPOINT OUT',
    'generate_merge': 'python tools/generate.py merge CONFIG',
    'generate_plan': 'python tools/generate.py plan CONFIG',
    'images_folder': 'add --images FOLDER to the command',
    'index': 'python tools/search.py index {gallery} {images} --model {model}',
    'name_checkpoint': 'add --config CONFIG --weights CHECKPOINT to the command',
    'name_model': 'add --model {model} to the command',
    'overwrite': 'add --overwrite to the command',
    'pack_images': 'python tools/pack_images.py {folder} {out}',
}

# How torch begins what it hands on.
_FROM_WORKER = re.compile(r'Caught \w+ in \w+ worker process \d+\.\s+Original Traceback')


def word_remedy(remedy: Remedy) -> str:
    """Word the command of a remedy; an argument that is not known is written in capitals.

    Example:
        >>> word_remedy(Remedy('draw_dataset', dict(root='my data')))
        "python tools/draw_dataset.py 'my data'"
    """
    arguments = {key: shlex.quote(str(value)) for key, value in remedy.arguments.items()
                 if value is not None}
    return COMMANDS[remedy.action].format_map(_Capitals(arguments))


def word_error(error: UserError) -> str:
    """Word an error in one line, with the command of its remedy.

    torch hands on what a worker of a loader raised with the traceback as its message; of that the
    message alone is kept.

    Example:
        >>> word_error(UserError('Caught UserError in DataLoader worker process 0.\\n'
        ...                      'Original Traceback (most recent call last):\\n  ...\\n'
        ...                      'mmtbps.errors.UserError: pairs.json, record 3: no caption\\n'))
        'pairs.json, record 3: no caption'
    """
    message = str(error)
    if _FROM_WORKER.match(message):
        kind = re.escape(type(error).__name__)
        *_, message = re.split(rf'^(?:[\w.]+\.)?{kind}: ', message, flags=re.MULTILINE)
    message = ' '.join(message.split())
    return f'{message}: {word_remedy(error.remedy)}' if error.remedy else message


class _Capitals(dict):
    """Arguments, of which the missing ones are their own names in capitals."""

    def __missing__(self, key: str) -> str:
        return key.upper()


@contextlib.contextmanager
def one_line_errors(interrupted: str = 'interrupted') -> Iterator[None]:
    """Print a fault that is the user's to mend in one line and exit with 1.

    These are every `UserError`, what the operating system refuses of a file it names, and a config
    that is no Python. Anything else is a fault of the program and keeps its traceback. Where nobody
    reads the output any more, as after ``| head``, the command ends with 141, as by the signal.

    Args:
        interrupted: The line after Ctrl-C, which exits with 130.
    """
    try:
        yield
        print(end='', flush=True)  # here, and not as Python ends, a closed pipe is noticed
    except UserError as error:
        problems = getattr(error, 'problems', None) or [error]
        if len(problems) > 1:
            print('error: cannot start, because of:', file=sys.stderr)
            listed = '\n'.join(f'  - {word_error(problem)}' for problem in problems)
            print(as_typed(listed), file=sys.stderr)
            raise SystemExit(1) from None
        fail(word_error(problems[0]))
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        raise SystemExit(141) from None
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        fail(f'{error.filename}: {error.strerror}')
    except SyntaxError as error:
        fail(f'{error.filename}, line {error.lineno}: {error.msg}')
    except KeyboardInterrupt:
        fail(interrupted, 130)


def _reader_is_gone() -> bool:
    """Check for a closed standard output, and let the rest of it vanish."""
    try:
        print(flush=True)
        return False
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True


def fail(message: str, code: int = 1) -> NoReturn:
    """Print ``error: message`` in one line and exit with ``code``."""
    print('error: ' + as_typed(' '.join(message.split())), file=sys.stderr)
    raise SystemExit(code) from None
