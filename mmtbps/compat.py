"""Cures for faults of today's libraries, in one place; each is a no-op where it is not needed.

===========================  =====================================================  ================
cure                         upstream fault                                         may go when
===========================  =====================================================  ================
`load_checkpoint_file`       MMEngine 0.11.0rc3 and the OneDL fork unpickle any     MMEngine loads
                             checkpoint (``weights_only=False``); 0.10.7 cannot     with
                             load its own on torch >= 2.6                           ``weights_only``
`torchvision_or_stub`        mmpretrain's model zoo imports torchvision, which has  mmpretrain stops
                             no CPU build in the package index                      importing it
`_fence_multimodal`          mmpretrain's multimodal models break the whole import  mmpretrain
                             beside pycocotools and a recent transformers           supports v5
`_inherit_lazy_bases`        a text config cannot inherit a pure-Python one, nor    MMEngine allows
                             any config of a package MMEngine does not know, nor    all three
                             a pure-Python one of a package where mim puts them
`_adafactor_when_asked`      MMEngine imports transformers' trainer, in seconds,    MMEngine waits
                             for the name of an optimizer that nobody asks for      until asked
`_take_classes`              mmpretrain looks up a data set by its name, where a    mmpretrain takes
                             pure-Python config has the class itself                classes
===========================  =====================================================  ================

A cure waits for the module that it mends: ``import mmtbps`` itself loads neither torch nor
MMEngine, so that an exported model searches on a machine that has neither. The first part of ours
that does need them asks for them in one clear line, if they are missing or too old
(`require_stack`).
"""

import atexit
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import types
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from .errors import MissingFile
from .fileio import MAX_PIXELS, load_checkpoint_file
from .fileio.store_errors import SCHEMES
from .stack import require_stack
from .torchvision_stub import torchvision_stub

_torchvision_schemas = []  # a torch Library lives as long as its object


def apply() -> None:
    """Install every cure once: at once in modules that are loaded, in the others as they load."""
    # OpenCV, which reads images in training, allows 20 times as many unless it is told before.
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))
    if not any(isinstance(finder, _CureFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _CureFinder())
    for name, cure in _AFTER_IMPORT.items():
        if name in sys.modules:
            cure(sys.modules[name])


class _CureFinder(MetaPathFinder):
    """Import finder that runs the cure of a module before, around or after its own code."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _AROUND_IMPORT and fullname not in _AFTER_IMPORT:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            with _AROUND_IMPORT.get(fullname, contextlib.nullcontext)():
                execute(module)
            _AFTER_IMPORT.get(fullname, lambda module: None)(module)

        spec.loader.exec_module = exec_module
        return spec


# ------------------------------------------------------------------ checkpoints
class _SafeTorch:
    """Stand-in for ``torch`` in MMEngine's checkpoint module; only its ``load`` differs."""

    load = staticmethod(load_checkpoint_file)

    def __getattr__(self, name):
        import torch
        return getattr(torch, name)


def _secure_checkpoints(checkpoint: types.ModuleType) -> None:
    if not isinstance(checkpoint.torch, _SafeTorch):
        checkpoint.torch = _SafeTorch()
    # MMEngine reads object stores by a client of SenseTime's, where that is installed.
    schemes = [f'{scheme}://' for scheme in SCHEMES if not scheme.startswith('http')
               and (scheme != 's3' or importlib.util.find_spec('petrel_client') is None)]
    checkpoint.CheckpointLoader.register_scheme(
        prefixes=schemes, force=True, loader=lambda filename, map_location=None, **_:
        load_checkpoint_file(filename, map_location))


# ------------------------------------------------------------------ mmpretrain and torchvision
@contextlib.contextmanager
def _importable_mmpretrain():
    with torchvision_or_stub():
        _fence_multimodal()
        yield


@contextlib.contextmanager
def torchvision_or_stub():
    """Make ``import torchvision`` work inside the block; yields 'real' or 'stub'."""
    if 'torchvision' in sys.modules or _import_torchvision():
        yield 'real'
        return
    import mmengine.runner  # noqa: F401  looks for torchvision itself; let it see the truth
    with contextlib.suppress(ImportError):
        from transformers.utils.import_utils import is_torchvision_available
        is_torchvision_available()  # caches its answer: ask before the stub exists
    stub = torchvision_stub()
    sys.modules.update(stub)
    try:
        yield 'stub'
    finally:
        for name in stub:
            sys.modules.pop(name, None)


def _import_torchvision() -> bool:
    """Import the real torchvision, if it is there and whole."""
    if importlib.util.find_spec('torchvision') is None:
        return False
    try:
        importlib.import_module('torchvision')
        return True
    except (ImportError, RuntimeError, OSError):
        for name in [n for n in sys.modules if n.split('.')[0] == 'torchvision']:
            del sys.modules[name]
        return False


@contextlib.contextmanager
def _with_torchvision_operators():
    """Declare the operators that torchvision registers for, where its binary is for another torch.

    Whoever imports it first, transformers and open_clip too, would fail beside a torch for CPUs.
    """
    import torch
    if not hasattr(torch.ops.torchvision, 'nms'):
        library = torch.library.Library('torchvision', 'DEF')
        for operator in ('nms', 'qnms'):
            library.define(f'{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _torchvision_schemas.append(library)
    yield


def _fence_multimodal() -> None:
    """Keep mmpretrain's multimodal models out where they cannot be imported."""
    import mmpretrain
    import mmpretrain.utils.dependency as dependency
    if not dependency.WITH_MULTIMODAL:
        return
    import transformers
    from mmengine.utils import digit_version
    limit = '5.0' if digit_version(mmpretrain.__version__) >= digit_version('1.3.0') else '4.50'
    if digit_version(transformers.__version__) >= digit_version(limit):
        dependency.WITH_MULTIMODAL = False


# ------------------------------------------------------------------ configs
def _inherit_lazy_bases(config: types.ModuleType) -> None:
    """Let ``_base_ = 'mmtbps::tbps/...'`` in a text config reach our pure-Python configs.

    A dumped pure-Python config is a text config, so that is what the heir is given. A config that
    is no Python is named, too.
    """
    from mmengine.config import utils as config_lookup
    config_lookup.MODULE2PACKAGE.setdefault('mmtbps', 'mmtbps')
    find = config.Config._get_cfg_path
    if getattr(find, 'knows_mmtbps', False):
        return

    def get_cfg_path(cfg_path, filename):
        if not cfg_path.startswith('mmtbps::'):
            return find(cfg_path, filename)
        path = _own_config(cfg_path.removeprefix('mmtbps::'))
        if config.Config._is_lazy_import(path):
            # Its types are whole paths. A scope in each dict would be an argument to collate_fn.
            return _dump_as_text(path), None
        return path, 'mmtbps'

    is_lazy = config.Config._is_lazy_import

    def name_what_is_no_python(filename):
        try:
            return is_lazy(filename)
        except SyntaxError as error:
            error.filename = str(filename)
            raise
        except UnicodeDecodeError:
            raise
        except ValueError as error:  # a zero byte, before Python 3.11.4
            raise SyntaxError(str(error), (str(filename), None, None, None)) from error

    parser = sys.modules['mmengine.config.config']
    installed_path = parser.get_installed_path

    def find_installed(package):
        # What ``from mmtbps.configs.X import *`` of a pure-Python config starts from.
        own = [folder.parent for folder in config_folders() if folder.is_dir()]
        return str(own[0]) if package == 'mmtbps' and own else installed_path(package)

    parser.get_installed_path = find_installed
    get_cfg_path.knows_mmtbps = True
    config.Config._get_cfg_path = staticmethod(get_cfg_path)
    config.Config._is_lazy_import = staticmethod(name_what_is_no_python)


def config_folders() -> list[Path]:
    """List where configs of this package may lie: as installed, in a source tree."""
    package = Path(__file__).absolute().parent
    return [package / '.mim/configs', package.parent / 'configs']


def _own_config(name: str) -> str:
    """Find a config of this package, as installed or in a source tree, with or without folder."""
    folders = config_folders()
    for folder in folders:
        for path in (folder / name, *sorted(folder.glob(f'*/{name}'))):
            if path.is_file():
                return str(path)
    raise MissingFile(f'mmtbps::{name}: no such config in {" or ".join(map(str, folders))}')


def _dump_as_text(path: str) -> str:
    from mmengine.config import Config
    folder = tempfile.mkdtemp(prefix='mmtbps_config_')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    text = os.path.join(folder, os.path.basename(path))
    Config.fromfile(path).dump(text)
    return text


# ------------------------------------------------------------------ optimizers
def _adafactor(params: Any, *args: Any, **kwargs: Any) -> Any:
    """Build the Adafactor of transformers."""
    from transformers import Adafactor
    return Adafactor(params, *args, **kwargs)


@contextlib.contextmanager
def _adafactor_when_asked():
    """Let MMEngine find the optimizer of transformers, which it registers, without its trainer."""
    name = 'transformers'
    if f'{name}.optimization' in sys.modules or importlib.util.find_spec(name) is None:
        yield
        return
    stand_in = types.ModuleType(name)
    stand_in.Adafactor = _adafactor
    loaded = sys.modules.get(name)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]
        if loaded is not None:
            sys.modules[name] = loaded


# ------------------------------------------------------------------ models by name
def _take_classes(registry: types.ModuleType) -> None:
    """Let mmpretrain's ``get_model`` read the data set of a pure-Python config."""
    find = registry.DATASETS.get
    if not getattr(find, 'takes_classes', False):
        registry.DATASETS.get = lambda key: key if isinstance(key, type) else find(key)
        registry.DATASETS.get.takes_classes = True


def _list_own_models(apis: types.ModuleType) -> None:
    """Let mmpretrain's ``list_models``, ``get_model`` and ``inference_model`` know our models.

    Its hub of names is filled when it is first asked; the models of this package follow then.
    """
    hub = apis.ModelHub
    register = hub._register_mmpretrain_models
    if getattr(register, 'knows_mmtbps', False):
        return
    left = [folder.parent for folder in config_folders()
            if (folder.parent / 'model-index.yml').is_file()][:1]

    def register_models():
        register()
        while left:
            folder = left.pop()
            hub.register_model_index(folder / 'model-index.yml', config_prefix=folder)

    register_models.knows_mmtbps = True
    hub._register_mmpretrain_models = staticmethod(register_models)


# ------------------------------------------------------------------ which module waits for which
@contextlib.contextmanager
def _with_stack():
    require_stack()
    yield


_AFTER_IMPORT = {'mmengine.runner.checkpoint': _secure_checkpoints,
                 'mmengine.config': _inherit_lazy_bases,
                 'mmpretrain.registry': _take_classes,
                 'mmpretrain.apis.model': _list_own_models}
_AROUND_IMPORT = {
    'mmengine.optim.optimizer.builder': _adafactor_when_asked,
    'torchvision._meta_registrations': _with_torchvision_operators,
    **{f'mmpretrain.{part}': _importable_mmpretrain for part in (
        'models', 'datasets', 'evaluation', 'engine', 'visualization')},
    **{f'mmtbps.{part}': _with_stack for part in (
        'registry', 'datasets', 'models', 'engine', 'generation', 'devices',
        # Not all of evaluation: a search tells by it whether somebody is there, without torch.
        'evaluation.copies', 'evaluation.measures', 'evaluation.rank_accumulation',
        'evaluation.rank_metric', 'evaluation.ranking', 'evaluation.refinement',
        'evaluation.streaming', 'evaluation.presence.open_set_metric',
        'search.encoders.explain', 'search.encoders.onnx_export',
        'search.encoders.pretrained_encoder', 'search.encoders.saved_model',
        'search.encoders.torch_encoder')}}
