"""Errors as a command line prints them: one line, with the command that mends it."""

import contextlib
import logging
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn

from mmtbps.errors import Notice, Remedy, UserError, first_line, printable
from mmtbps.fileio import explain_disk_full, is_disk_full
from mmtbps.stack import explain_import

from ..process.exit_codes import ExitCode
from ..process.process_group import await_launcher, end_command, group_rank, is_loss_of_peer
from ..process.stop_signals import StopSignals, Terminated
from .command_names import as_typed
from .placed_pages import place_pages
from .printing import escape_what_cannot_be_printed

__all__ = ['REMEDIES', 'fail', 'one_line_errors', 'word_error', 'word_notice', 'word_remedy']

#: Command line of each remedy the library may name; its arguments are filled in.
REMEDIES = {
    'allow_outside': 'add --allow-outside to the command',
    'allow_missing': 'add --allow-missing to the command (mmtbps test, mmtbps visualize, '
                     'mmtbps export)',
    'begin_run': 'add --resume to go on with that run, or --overwrite to move it to old-DATE',
    'calibrate': 'mmtbps calibrate CONFIG CHECKPOINT --out {out}',
    'convert_weights': 'mmtbps convert {kind} SRC {target}',
    'draw_dataset': 'mmtbps draw {root}',
    'export': 'mmtbps export CONFIG CHECKPOINT OUT',
    'export_transformers': 'mmtbps export --format transformers --model {model} OUT',
    'generate_merge': 'mmtbps generate merge CONFIG',
    'generate_pairs': 'mmtbps generate all CONFIG --cfg-options '
                      'generation.runner.out_dir={folder}',
    'generate_plan': 'mmtbps generate plan CONFIG',
    'images_folder': 'add --images {folder} to the command',
    'index': 'mmtbps index {gallery} {images} --model {model}',
    'keep_tokenizer': 'mmtbps convert mmtbps {checkpoint} FOLDER',
    'leave_captioner_out': 'leave --captioner out',
    'name_captioner': 'add --captioner {captioner} --caption-weight {weight} to the command',
    'name_checkpoint': 'add --config CONFIG --weights CHECKPOINT to the command',
    'name_config': 'add --config {config} --weights {checkpoint} to the command',
    'name_detector': 'add --detector DETECTOR to the command',
    'name_model': 'add --model {model} to the command',
    'overwrite': 'add --overwrite to the command',
    'prune_most': 'add --prune-most to the command',
    'set_aside': 'mmtbps generate merge CONFIG --set-aside',
    'pack_images': 'mmtbps pack {folder} {out}',
}

# How torch begins what it hands on.
_FROM_WORKER = re.compile(r'Caught \w+ in \w+ worker process \d+\.\s+Original Traceback')
# torch's words for a worker that the system ended, or that found no memory to share.
_KILLED_WORKER = re.compile(r'DataLoader worker .* is killed by signal: (Killed|Bus error)')
_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|failed to allocate memory|not enough memory|bad_alloc",
    re.IGNORECASE)
_LESS_MEMORY = ('A smaller batch needs less: --batch-size, or train_dataloader.batch_size of the '
                'config; a training keeps its batch with --cfg-options model.chunk_size=32, which '
                'encodes it in parts')
_FEWER_WORKERS = ('The memory of this machine, or what processes share of it, is used up: take '
                  'fewer workers, such as train_dataloader.num_workers=1')
_FAULT = ('this is a fault of the program: it should have worked, or have said in one line what to '
          'mend. Please report it, with the command and the lines above, to those whom you have '
          'mmtbps from')
_STOPPED_BY = {KeyboardInterrupt: signal.SIGINT, Terminated: signal.SIGTERM}


def word_remedy(remedy: Remedy) -> str:
    """Word the command of a remedy; an argument that is not known is written in capitals.

    Example:
        >>> word_remedy(Remedy('draw_dataset', dict(root='my data')))
        "mmtbps draw 'my data'"
    """
    arguments = {key: shlex.quote(str(value)) for key, value in remedy.arguments.items()
                 if value is not None}
    return REMEDIES[remedy.action].format_map(_Capitals(arguments))


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
    message = place_pages(' '.join(message.split()))
    return f'{message}: {word_remedy(error.remedy)}' if error.remedy else message


def word_notice(line: str) -> str:
    """Word a line for the log, with the command of its remedy if it has one.

    Example:
        >>> word_notice(Notice('no pairs', Remedy('generate_merge')))
        'no pairs; make them by: mmtbps generate merge CONFIG'
    """
    if not isinstance(line, Notice) or line.remedy is None:
        return str(line)
    return f'{line}; make them by: {as_typed(word_remedy(line.remedy))}'


class _Capitals(dict):
    """Arguments, of which the missing ones are their own names in capitals."""

    def __missing__(self, key: str) -> str:
        return key.upper()


@contextlib.contextmanager
def one_line_errors(interrupted: str = 'interrupted') -> Iterator[None]:
    """End a command as `ExitCode` says, with one line of error wherever the user can do something.

    The user's to mend is every `UserError`, a file that the operating system refuses, a full disk
    or memory, a config that is no Python or imports what is not there, and a stack that lacks a
    package or has one that is too old. Anything else is a fault of the program and keeps its
    traceback.

    Args:
        interrupted: The line after Ctrl-C; with "terminated" in it, that after SIGTERM.
    """
    escape_what_cannot_be_printed()
    with StopSignals() as signals, _log_files_that_fail_in_silence():
        try:
            yield
            print(end='', flush=True)  # here, and not as Python ends, a closed pipe is noticed
        except (KeyboardInterrupt, Terminated, Exception) as error:
            if isinstance(error, OSError) and _output_is_lost(error):
                if isinstance(error, BrokenPipeError):
                    end_command(ExitCode.CLOSED_PIPE)
            if not signals.received and is_loss_of_peer(error):
                _await_launcher(signals)
            if stopped := signals.received or _STOPPED_BY.get(type(error)):
                _say_stopped(interrupted, stopped)
            _say_error(error)
        except SystemExit as end:
            if isinstance(end.code, str):
                fail(end.code)
            raise


@contextlib.contextmanager
def _log_files_that_fail_in_silence() -> Iterator[None]:
    """Print no traceback for each line that a log file on a full disk does not take."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


def _await_launcher(signals: StopSignals) -> None:
    """Leave the word to the process of the group that failed first, if a launcher ends this one."""
    try:
        await_launcher()
    except (KeyboardInterrupt, Terminated):
        end_command(128 + signals.received)


def fail(message: str, code: int = ExitCode.USER) -> NoReturn:
    """Print ``error: message`` in one line and exit with ``code``."""
    print('error: ' + as_typed(_printable(message)), file=sys.stderr)
    end_command(code)


def _printable(text: str) -> str:
    """Put a text in one line, and write as escapes what would act on the terminal."""
    return printable(' '.join(text.split()))


def _say_error(error: Exception) -> NoReturn:
    """Print what the user can mend in one line, anything else with its traceback; then exit."""
    problems = getattr(error, 'problems', None) if isinstance(error, UserError) else None
    if problems and len(problems) > 1:
        print('error: cannot start, because of:', file=sys.stderr)
        listed = '\n'.join(f'  - {_printable(word_error(problem))}' for problem in problems)
        print(as_typed(listed), file=sys.stderr)
        end_command(ExitCode.USER)
    if said := _mendable(problems[0] if problems else error):
        fail(said)
    traceback.print_exception(error)
    fail(_FAULT, ExitCode.PROGRAM)


def _mendable(error: Exception) -> str | None:
    """Word what the user can mend; ``None`` if it is a fault of the program."""
    if isinstance(error, UserError):
        return word_error(error)
    if is_disk_full(error):
        return str(explain_disk_full(error, getattr(error, 'filename', None)))
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, SyntaxError):
        line = f', line {error.lineno}' if error.lineno else ''
        return f'{error.filename}{line}: {error.msg}'
    if isinstance(error, ImportError) and str(error).startswith('Failed to import '):
        return str(error)  # MMEngine imports what a config names where it is used first
    if _is_out_of_memory(error):
        return f'out of memory ({first_line(error)}). {_LESS_MEMORY}'
    for cause in (error, error.__cause__):
        if _KILLED_WORKER.match(str(cause)):
            return f'{first_line(cause)} {_FEWER_WORKERS}'
    lack = explain_import(error)
    return word_error(lack) if lack else None


def _is_out_of_memory(error: Exception) -> bool:
    # torch's own type is not imported here, and its CPU raises a RuntimeError.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error))))


def _say_stopped(interrupted: str, by: signal.Signals) -> NoReturn:
    """Print the line of a command that was stopped, one of all processes of a group; then exit."""
    if by == signal.SIGTERM:
        interrupted = interrupted.replace('interrupted', 'terminated', 1)
    if group_rank():
        end_command(128 + by)
    fail(interrupted, 128 + by)


def _output_is_lost(error: OSError) -> bool:
    """Check for a standard output that nobody takes any more, and let the rest of it vanish."""
    try:
        # What did not go into a pipe is forgotten: only something new shows that it is closed.
        print(end='\n' if isinstance(error, BrokenPipeError) else '', flush=True)
        return False
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
