"""Weights of a TorchScript archive, read without its code.

``torch.jit.load`` compiles and may run what an archive brings. Here only the pickled modules are
read; all classes of the archive become one class that holds attributes.
"""

import math
import pickle
import zipfile
from typing import Any

import torch
from torch import Tensor

from mmtbps.fileio import BrokenCheckpoint, UnsafeCheckpoint

__all__ = ['is_torchscript', 'read_torchscript']

_DTYPES = dict(HalfStorage=torch.float16, FloatStorage=torch.float32, DoubleStorage=torch.float64,
               BFloat16Storage=torch.bfloat16, LongStorage=torch.int64, IntStorage=torch.int32,
               ShortStorage=torch.int16, CharStorage=torch.int8, ByteStorage=torch.uint8,
               BoolStorage=torch.bool)


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Tell an archive of TorchScript, which carries code, from a checkpoint."""
    return any(name.endswith('/constants.pkl') for name in archive.namelist())


def read_torchscript(archive: zipfile.ZipFile, name: str) -> dict[str, Tensor]:
    """Read the tensors of a TorchScript archive, such as OpenAI's CLIP, under their dotted names.

    Args:
        archive: the open file.
        name: of it, for messages.

    Raises:
        UnsafeCheckpoint: its pickle names anything but its own modules, tensors and containers.
        BrokenCheckpoint: it is damaged.
    """
    root = next(member for member in archive.namelist()
                if member.endswith('/constants.pkl')).removesuffix('constants.pkl')
    try:
        with archive.open(f'{root}data.pkl') as file:
            module = _Reader(file, archive, root).load()
        return dict(_tensors(module, ''))
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpoint(f'{name}: refused, because this TorchScript archive holds more than '
                               f'modules and weights ({error})') from error
    except (KeyError, EOFError, ValueError, TypeError, AttributeError, IndexError, RuntimeError,
            zipfile.BadZipFile) as error:
        raise BrokenCheckpoint(f'{name}: a damaged TorchScript archive ({error})') from error


class _Module:
    """A module of the archive: its attributes, and nothing that it does."""

    attributes: Any = None

    def __setstate__(self, state: Any) -> None:
        self.attributes = state


class _Reader(pickle.Unpickler):
    """Unpickler that knows tensors, containers and modules without code, and nothing else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a class; the class itself is never imported."""
        if module == '__torch__' or module.startswith('__torch__.'):
            return _Module
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _rebuild_tensor
        if (module, name) == ('collections', 'OrderedDict'):
            return dict
        if module == 'torch' and name in _DTYPES:
            return _DTYPES[name]
        if module == 'torch.jit._pickle' and name.startswith('build_'):
            return list
        raise pickle.UnpicklingError(f'it names {module}.{name}')

    def persistent_load(self, pid: Any) -> Tensor:
        """Read the numbers of a storage."""
        kind, dtype, key, *_ = pid
        if kind != 'storage' or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f'it refers to {kind!r}')
        content = bytearray(self.archive.read(f'{self.root}data/{key}'))
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    if math.prod(size) > len(storage):
        raise ValueError(f'a tensor of {tuple(size)} has only {len(storage)} numbers')
    return storage.as_strided(size, stride, offset)


def _tensors(module: Any, prefix: str):
    if isinstance(module, _Module) and isinstance(module.attributes, dict):
        for name, value in module.attributes.items():
            if isinstance(value, Tensor):
                yield prefix + name, value
            else:
                yield from _tensors(value, f'{prefix}{name}.')
