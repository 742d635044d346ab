"""Checkpoint files, read without running what they carry."""

import os
import pickle
import re
import struct
import zipfile

from mmtbps.errors import UserError

from .archives import damaged_record

__all__ = ['BrokenCheckpoint', 'UnsafeCheckpoint', 'load_checkpoint_file']

_HISTORY_STATISTICS = ('mean', 'max', 'min', 'current')
# torch reads what is no archive by its former unpickler, which fails on junk in any of these ways.
_ERRORS_OF_JUNK = (LookupError, ValueError, TypeError, AttributeError, struct.error)


class UnsafeCheckpoint(UserError, pickle.UnpicklingError):
    """A checkpoint that holds more than weights, or is none; nothing in it was run."""


class BrokenCheckpoint(UserError, RuntimeError):
    """A checkpoint that is cut short or damaged."""


def load_checkpoint_file(filename, map_location=None, mmap=False, **_) -> dict:
    """Load a checkpoint without ever running code that it carries.

    Tensors, containers, numpy arrays and MMEngine's training history are accepted;
    ``.safetensors`` files are read as flat state dicts.

    Args:
        filename (str | os.PathLike | IO): The checkpoint.
        map_location: As in :func:`torch.load`.
        mmap: Read tensors only where they are used; of an archive.

    Raises:
        UnsafeCheckpoint: The file carries anything else, or is not a checkpoint.
        BrokenCheckpoint: The file is cut short, damaged or of another kind.
    """
    import torch
    if isinstance(filename, (str, os.PathLike)) and (record := damaged_record(filename)):
        raise BrokenCheckpoint(f'{filename}: damaged, {record} does not fit its checksum')
    if str(filename).endswith('.safetensors'):
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        try:
            return load_file(filename, device=str(map_location or 'cpu'))
        except SafetensorError as error:
            raise BrokenCheckpoint(f'{filename}: cut short or damaged ({error})') from error
    try:
        with torch.serialization.safe_globals(_allowed_globals()):
            return torch.load(filename, map_location=map_location, weights_only=True,
                              mmap=mmap and zipfile.is_zipfile(filename))
    except pickle.UnpicklingError as error:
        reason = re.sub(r'(?s)^.*(Unpickler error:|trusted source\.)\s*|\n.*', '', str(error))
        raise UnsafeCheckpoint(  # without torch's advice to read the file unprotected
            f'{filename}: refused, because it holds more than weights ({reason}). Ask its author '
            'for a plain state dict or a .safetensors file.') from error
    except EOFError as error:
        raise BrokenCheckpoint(f'{filename}: empty or cut short') from error
    except _ERRORS_OF_JUNK as error:
        raise BrokenCheckpoint(f'{filename}: no checkpoint, or damaged ({error!r})') from error
    except RuntimeError as error:
        if not re.search(r'PytorchStreamReader|legacy \.tar', str(error)):
            raise
        reason = str(error).partition('. ')[0]
        raise BrokenCheckpoint(f'{filename}: cut short or damaged ({reason})') from error


def _allowed_globals() -> list:
    import numpy as np
    from mmengine.logging import HistoryBuffer
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    dtypes = {type(np.dtype(code)) for code in ('f8', 'f4', 'f2', 'i8', 'i4', 'u1', 'b1')}
    return [HistoryBuffer, (_history_statistic, 'builtins.getattr'), np.ndarray, np.dtype,
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
