"""Checkpoint files, read without running what they carry."""

import json
import os
import pickle
import re
import struct
import zipfile
from collections import Counter

from mmtbps.errors import MissingFile, UserError, first_line

from .archives import damaged_record, swollen_record
from .object_stores import is_remote
from .opened_files import local_copy
from .regular_files import why_no_file

__all__ = ['BrokenCheckpoint', 'UnsafeCheckpoint', 'load_checkpoint_file']

_HISTORY_STATISTICS = ('mean', 'max', 'min', 'current')
# torch reads what is no archive by its former unpickler, which fails on junk in any of these ways.
_ERRORS_OF_JUNK = (LookupError, ValueError, TypeError, AttributeError, AssertionError, ImportError,
                   MemoryError, OverflowError, RecursionError, struct.error)
# What torch says before and after its reason, such as to read the file unprotected.
_ADVICE = re.compile(r'(?s)^.*(Unpickler error:|trusted source\.)\s*|\n.*| was not an allowed .*')
# A RuntimeError that says nothing of the file: no memory, no device of that kind.
_ABOUT_THE_MACHINE = re.compile(r'allocate|out of memory|is_available\(\)|CUDA|MPS|XPU')


class UnsafeCheckpoint(UserError, pickle.UnpicklingError):
    """A checkpoint that holds more than weights, or is none; nothing in it was run."""


class BrokenCheckpoint(UserError, RuntimeError):
    """A checkpoint that is cut short or damaged."""


def load_checkpoint_file(filename, map_location=None, mmap=False, **_) -> dict:
    """Load a checkpoint without ever running code that it carries.

    Tensors, containers, numpy arrays and MMEngine's training history are accepted;
    ``.safetensors`` files are read as flat state dicts.

    Args:
        filename (str | os.PathLike | IO): The checkpoint, or its address in an object store.
        map_location: As in :func:`torch.load`.
        mmap: Read tensors only where they are used; of an archive.

    Raises:
        UnsafeCheckpoint: The file carries anything else, or is not a checkpoint.
        BrokenCheckpoint: The file is cut short, damaged or of another kind.
        MissingFile: It is no file: a folder, a pipe, a device.
    """
    import torch
    if isinstance(filename, (str, os.PathLike)) and is_remote(filename):
        with local_copy(filename) as copy:
            return load_checkpoint_file(copy, map_location)
    _look_through(filename)
    if str(filename).endswith('.safetensors'):
        return _load_safetensors(filename, str(map_location or 'cpu'))
    try:
        with torch.serialization.safe_globals(_allowed_globals()):
            return torch.load(filename, map_location=map_location, weights_only=True,
                              mmap=mmap and zipfile.is_zipfile(filename))
    except pickle.UnpicklingError as error:
        reason = _ADVICE.sub('', str(error))
        if reason.startswith('Unsupported operand'):
            raise BrokenCheckpoint(f'{filename}: no checkpoint of torch, or damaged ({reason})'
                                   ) from error
        raise UnsafeCheckpoint(  # without torch's advice to read the file unprotected
            f'{filename}: refused, because it holds more than weights ({reason}). Ask its author '
            'for a plain state dict or a .safetensors file.') from error
    except EOFError as error:
        raise BrokenCheckpoint(f'{filename}: empty or cut short') from error
    except _ERRORS_OF_JUNK as error:
        raise BrokenCheckpoint(f'{filename}: no checkpoint, or damaged ({error!r})') from error
    except RuntimeError as error:
        if _ABOUT_THE_MACHINE.search(str(error)):
            raise
        reason = first_line(error).partition('. ')[0]
        raise BrokenCheckpoint(f'{filename}: cut short or damaged ({reason})') from error


def _look_through(file) -> None:
    """Refuse what is no file, and an archive that is damaged or would fill the memory."""
    if isinstance(file, (str, os.PathLike)):
        if reason := why_no_file(file, 'no such checkpoint'):
            raise MissingFile(f'{file}: {reason}')
    elif not hasattr(file, 'seek'):
        return
    if record := swollen_record(file):
        raise BrokenCheckpoint(f'{file}: {record} says that it unpacks to far more than the file '
                               'holds')
    if record := damaged_record(file):
        raise BrokenCheckpoint(f'{file}: damaged, {record} does not fit its checksum')
    if hasattr(file, 'seek'):
        file.seek(0)


def _load_safetensors(filename: str | os.PathLike, device: str) -> dict:
    """Read weights, of which each name stands once in the header."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    with open(filename, 'rb'):  # safetensors would call a file missing that may not be read
        pass
    try:
        state = load_file(filename, device=device)
    except SafetensorError as error:
        raise BrokenCheckpoint(f'{filename}: cut short or damaged ({error})') from error
    with open(filename, 'rb') as file:
        length, = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(length), object_pairs_hook=list)
    counts = Counter(name for name, _ in header)
    if twice := next((name for name, count in counts.items() if count > 1), None):
        raise BrokenCheckpoint(f'{filename}: {twice!r} stands twice in its header')
    return state


def _allowed_globals() -> list:
    import numpy as np
    from mmengine.logging import HistoryBuffer
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    dtypes = {type(np.dtype(code)) for code in ('f8', 'f4', 'f2', 'i8', 'i4', 'u1', 'b1')}
    return [HistoryBuffer, _history_statistic, np.ndarray, np.dtype,
            multiarray._reconstruct, multiarray.scalar, *dtypes]


def _history_statistic(history, name: str):
    """Stand in for ``getattr``, which MMEngine's pickled history names.

    The real one would let a checkpoint walk from any class to ``os.system``.
    """
    from mmengine.logging import HistoryBuffer
    known = history is HistoryBuffer or isinstance(history, HistoryBuffer)
    if known and name in _HISTORY_STATISTICS:
        return getattr(history, name)
    raise pickle.UnpicklingError(f'getattr({type(history).__name__}, {name!r}) is not allowed')


# The name under which a checkpoint asks for it; torch 2.5 takes no pair of an object and a name.
_history_statistic.__module__ = 'builtins'
_history_statistic.__name__ = _history_statistic.__qualname__ = 'getattr'
