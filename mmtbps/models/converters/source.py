"""Files of published checkpoints, read into a flat state dict without running code of theirs."""

import contextlib
import json
import tarfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtbps.errors import BadValue, MissingFile, UserError
from mmtbps.fileio import (
    BrokenCheckpoint,
    UnsafeCheckpoint,
    load_checkpoint_file,
    swollen_record,
    why_no_file,
)
from mmtbps.models.finite_weights import check_arrays
from mmtbps.models.trained_inputs import inputs_of_checkpoint, inputs_of_safetensors

from .torchscript import is_torchscript, read_torchscript

__all__ = ['Source', 'read_source']

#: Keys under which training code keeps the weights.
_WRAPPINGS = ('state_dict', 'model', 'model_state_dict', 'network')
#: Files of a folder as transformers and open_clip write it, the first that is there.
_FOLDER_FILES = ('model.safetensors', 'model.safetensors.index.json',
                 'open_clip_model.safetensors', 'pytorch_model.bin',
                 'pytorch_model.bin.index.json', 'open_clip_pytorch_model.bin')
_TAR = '.tar:'
#: What distributed training and torch.compile put before every name.
_WRAPPED = ('module.', '_orig_mod.')


class _Options:
    """Stand-in for options that training code pickles beside the weights; keeps nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


#: By the name that a pickle gives, what is made in its place. No code of theirs is imported.
_STAND_INS = {
    **dict.fromkeys(('easydict.EasyDict', 'yacs.config.CfgNode'), OrderedDict),
    **dict.fromkeys(('argparse.Namespace', 'types.SimpleNamespace', *(
        f'{module}.{kind}Path' for module in ('pathlib', 'pathlib._local')
        for kind in ('Posix', 'Windows', 'PurePosix', 'PureWindows'))), _Options)}


@dataclass(frozen=True)
class Source:
    """A checkpoint of others.

    Args:
        name: as the user named it, for messages.
        state: its weights, in float32 where they are numbers with a point.
        folder: where it lies; configs beside it say what weights cannot.
        training_config: text of the config that MMEngine wrote into it; empty if there is none.
        inputs: that it notes of its training, see `mmtbps.models.trained_inputs`.
    """

    name: str
    state: dict[str, Tensor]
    folder: Path | None = None
    training_config: str = ''
    inputs: dict[str, Any] = field(default_factory=dict)

    def config(self, name: str) -> dict[str, Any] | None:
        """Read a JSON file beside the weights; ``None`` if there is none.

        Raises:
            BadValue: it is no JSON object.
        """
        path = self.folder / name if self.folder else None
        if path is None or not path.is_file():
            return None
        try:
            settings = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise BadValue(f'{path}: no JSON ({error})') from error
        if not isinstance(settings, dict):
            raise BadValue(f'{path}: must be a JSON object, got {type(settings).__name__}')
        return settings


def read_source(source: str) -> Source:
    """Read a checkpoint of others.

    Wrappings such as ``{'model': ...}`` and the prefixes ``module.`` of distributed training and
    ``_orig_mod.`` of compiled models are taken off, half precision becomes float32. Options that
    training code leaves beside the weights (``argparse.Namespace`` and the like) are passed over;
    no class of theirs is made.

    Args:
        source: a ``.pth``, ``.pt``, ``.bin``, ``.safetensors`` or ``.npz`` file; a member of a tar,
            ``RDE.tar:path/best.pth``; a TorchScript archive; or a folder of transformers or
            open_clip.

    Raises:
        MissingFile: there is no such file, folder or member.
        UnsafeCheckpoint: it holds more than weights and containers.
        BrokenCheckpoint: it is cut short, damaged or no checkpoint.
    """
    path = Path(source)
    if path.is_dir():
        return _source(source, _read_folder(path), path)
    if _TAR in source and not path.exists():
        return _source(source, _read_member(source))
    if reason := why_no_file(path):
        raise MissingFile(f'{source}: {reason}; docs/guides/published_checkpoints.md#a-person-'
                          'model-in-two-commands says where to get one of persons, '
                          'docs/guides/prepare_data.md#weights one of a ViT or CLIP')
    if path.suffix == '.tar' and tarfile.is_tarfile(path):
        source += ':'  # no member is named, and those that there are will be
        return _source(source, _read_member(source))
    return _source(source, _read_file(path), path.parent)


def _source(name: str, loaded: Any, folder: Path | None = None) -> Source:
    published = name.endswith('.safetensors') and Path(name).is_file()
    inputs = inputs_of_safetensors(name) if published else inputs_of_checkpoint(loaded)
    return Source(name, _clean(loaded, name), folder, _find_config(loaded), inputs)


def _find_config(loaded: Any) -> str:
    """Find the text of the config in a checkpoint of MMEngine."""
    for way in (('meta', 'cfg'), ('message_hub', 'runtime_info', 'cfg')):
        part = loaded
        for key in way:
            part = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(part, str):
            return part
    return ''


def _load(file: Any) -> Any:
    stand_ins = [(kind, name) for name, kind in _STAND_INS.items()]
    with torch.serialization.safe_globals(stand_ins):
        return load_checkpoint_file(file, map_location='cpu')


def _read_file(path: Path) -> Any:
    if record := swollen_record(path):
        raise BrokenCheckpoint(f'{path}: {record} says that it unpacks to far more than the file '
                               'holds')
    if path.suffix == '.npz':
        return _read_arrays(path)
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if is_torchscript(archive):
            return read_torchscript(archive, str(path))
    return _load(path)


def _read_arrays(path: Path) -> dict[str, Tensor]:
    """Read the arrays of an archive of numpy; objects in it, which could run code, are refused."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except (ValueError, TypeError, AttributeError, EOFError, MemoryError, RuntimeError,
            zipfile.BadZipFile, zlib.error) as error:
        if not zipfile.is_zipfile(path):
            raise BrokenCheckpoint(f'{path}: no archive of arrays (.npz), or cut short') from error
        if 'pickle' in str(error) or isinstance(error, TypeError):
            raise UnsafeCheckpoint(f'{path}: refused, because it holds more than arrays of numbers'
                                   ) from error
        raise BrokenCheckpoint(f'{path}: a damaged archive of arrays ({error})') from error


def _read_folder(folder: Path) -> Any:
    name = next((name for name in _FOLDER_FILES if (folder / name).is_file()), None)
    if name is None:
        raise MissingFile(f'{folder}: none of {", ".join(_FOLDER_FILES)} is in this folder, which '
                          f'holds {sorted(path.name for path in folder.iterdir())}')
    if not name.endswith('.index.json'):
        return _load(folder / name)
    try:
        index = json.loads((folder / name).read_text(encoding='utf-8'))
        parts = sorted(set(index['weight_map'].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadValue(f'{folder / name}: no index of weights ({error!r})') from error
    state: dict[str, Tensor] = {}
    for part in parts:
        if Path(part).name != part or not (folder / part).is_file():
            raise MissingFile(f'{folder / part}: named by {name}, and not in the folder')
        state.update(_load(folder / part))
    return state


def _read_member(source: str) -> Any:
    """Read a checkpoint inside a tar, without unpacking it."""
    archive, _, member = source.partition(_TAR)
    path = Path(f'{archive}.tar')
    if not path.is_file():
        raise MissingFile(f'{path}: no such file')
    try:
        with tarfile.open(path, 'r:') as tar:
            return _load_member(tar, member, source)
    except tarfile.TarError as error:
        raise BrokenCheckpoint(f'{path}: no tar, or damaged ({error})') from error


def _load_member(tar: tarfile.TarFile, member: str, source: str) -> Any:
    names = [info.name for info in tar if info.isfile()]
    found = next((name for name in names if name.removeprefix('./') == member.removeprefix('./')),
                 None)
    file = tar.extractfile(found) if found else None
    if file is None:
        shown = [name for name in names if name.endswith(('.pth', '.pt', '.safetensors'))]
        fault = 'no such member' if member else 'a tar, of which a member must be named'
        raise MissingFile(f'{source}: {fault}; the tar has {", ".join(shown) or names}')
    with file, _named(file, source):
        if found.endswith('.safetensors'):
            from safetensors.torch import load
            return load(file.read())
        return _load(file)


@contextlib.contextmanager
def _named(file: Any, name: str):
    """Put the name that the user knows in the place of an open file's."""
    try:
        yield
    except UserError as error:
        raise type(error)(str(error).replace(str(file), name)) from error


def _clean(loaded: Any, name: str) -> dict[str, Tensor]:
    """Take off wrappings and prefixes; numbers with a point become float32."""
    while isinstance(loaded, Mapping):
        inner = next((loaded[key] for key in _WRAPPINGS if isinstance(loaded.get(key), Mapping)),
                     None)
        if inner is None:
            break
        loaded = inner
    state = loaded if isinstance(loaded, Mapping) else {}
    state = {key: value for key, value in state.items()
             if isinstance(key, str) and isinstance(value, Tensor)}
    if not state:
        raise BrokenCheckpoint(f'{name}: there are no weights in it')
    check_arrays(state, name)
    while prefix := next((word for word in _WRAPPED
                          if all(key.startswith(word) for key in state)), ''):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return {key: value.float() if value.is_floating_point() else value
            for key, value in state.items()}
