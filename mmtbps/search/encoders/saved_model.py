"""Saved models: folders with all that a model needs, and configs, read into one form.

A saved model is a folder with ``config.json`` (the settings of the model and of its test pipeline),
``model.safetensors`` and ``tokenizer/``. It needs no config, no pretrained folder and no network.
It may come from a stranger: its settings can name nothing but registered classes, and nothing in
it is unpickled.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry
from safetensors.torch import save_file
from torch import Tensor, nn

from mmtbps.config_file import read_config
from mmtbps.errors import BadValue, MissingFile, UserError, first_line
from mmtbps.fileio import decode_json, why_no_file, write_durably
from mmtbps.models import ProjectionNeck, Tower, inference_settings
from mmtbps.models.peft import merge_adapters
from mmtbps.models.setting_sizes import check_sizes
from mmtbps.models.trained_inputs import describe_inputs, in_safetensors
from mmtbps.registry import MODELS, TRANSFORMS

__all__ = ['FILES', 'ModelSource', 'find_model_source', 'inference_weights', 'portable_model',
           'portable_pipeline', 'write_saved_model']

#: Files of a saved model, as patterns for a download.
FILES = ('config.json', 'model.safetensors', 'tokenizer/*.json', 'tokenizer/*.txt',
         'LICEN*', 'NOTICE*', 'tokenizer/LICENSE')
_CONFIG, _WEIGHTS, _TOKENIZER = 'config.json', 'model.safetensors', 'tokenizer'
#: 1 had one head in its settings and its weights; it is read as well.
_FORMAT, _FORMATS = 2, (1, 2)
_KEYS = {'format', 'retriever', 'test_pipeline', 'former_fingerprints'}
_NAME = re.compile(r'(?:\w+\.)?\w+')
# Keys by which parts of a model name files to start from.
_ELSEWHERE = {'model', 'pretrained', 'init_cfg'}


@dataclass(frozen=True)
class ModelSource:
    """Settings to build a model and its test pipeline from.

    Args:
        name: Config or folder, for messages.
        model: Settings of the model; types are names.
        pipeline: Settings of the transforms that a test image and its captions go through.
        scope: Of the registries that the names are looked up in first.
        weights: A file that belongs to the settings, if there is one.
        former_fingerprints: By which galleries of earlier versions know the model.
    """

    name: str
    model: dict[str, Any]
    pipeline: list[dict[str, Any]]
    scope: str = 'mmtbps'
    weights: Path | None = None
    former_fingerprints: tuple[dict[str, Any], ...] = ()

    def build_model(self) -> nn.Module:
        """Build the model without heads; its weights are random or those its towers start from.

        Raises:
            BadValue: A type is not registered, or a saved model has settings unknown here.
        """
        with self._building('model'):
            return MODELS.build(inference_settings(self.model))

    def build_pipeline(self) -> list:
        """Build the transforms, in order.

        Raises:
            BadValue: As `build_model`.
        """
        with self._building('test pipeline'):
            return [TRANSFORMS.build(step) for step in self.pipeline]

    @contextmanager
    def _building(self, part: str) -> Iterator[None]:
        """Look names up in the scope of the settings, and name the settings that are wrong."""
        # A wrong argument in a config that somebody is writing keeps its traceback.
        # What a stranger's folder says may fail in any way of torch or transformers.
        faults = KeyError if self.weights is None else Exception
        try:
            with DefaultScope.overwrite_default_scope(self.scope):
                yield
        except UserError:
            raise
        except faults as error:
            raise BadValue(f'{self.name}: no {part} can be built from its settings '
                           f'({first_line(error)})') from error


def find_model_source(model: str | Path | Config) -> ModelSource:
    """Read the settings of a model from a config or a saved model.

    Args:
        model: Name of a config of ours (``'vit_bert_pdg_drawn'``), path of any config, a config,
            or a folder written by `write_saved_model`.

    Raises:
        MissingFile: There is no such config or folder.
        BadValue: It is there and is no config of a searchable model.
    """
    if isinstance(model, Config):
        return _from_config(model, model.filename or 'the config')
    path = Path(model)
    if path.is_dir():
        return _from_folder(path)
    if path.suffix == '.py':
        return _from_config(read_config(path), str(model))
    if len(path.parts) > 1:
        hub = '' if path.is_absolute() or len(path.parts) > 2 else (
            f'. A model of the Hugging Face hub is named hf:{model}')
        raise MissingFile(f'{model}: no such folder of a model{hub}')
    try:
        config = read_config(path)
    except MissingFile as error:
        raise MissingFile(f'{model}: no such folder of a model, and no config of this name among '
                          'ours. A model of the Hugging Face hub is named hf:owner/name') from error
    return _from_config(config, str(model))


def _from_config(config: Config, name: str) -> ModelSource:
    settings = _plain(config.to_dict())
    try:
        return ModelSource(name, settings['model'],
                           settings['test_dataloader']['dataset']['pipeline'],
                           settings.get('default_scope') or 'mmtbps')
    except (KeyError, TypeError):
        raise BadValue(f'{name}: no config of a retriever: it needs `model` and '
                       '`test_dataloader.dataset.pipeline`') from None


def _plain(value: Any) -> Any:
    """Convert settings to types that JSON can hold; a class becomes its dotted name."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if isclass(value):
        return f'{value.__module__}.{value.__qualname__}'
    return value


# ------------------------------------------------------------------ settings that travel
def portable_model(source: ModelSource, model: nn.Module) -> dict[str, Any]:
    """Return settings that build the same towers without the files that training started from.

    Settings that act in training only are left out; a pretrained text model is replaced by its
    sizes.

    Args:
        source: Settings that the model was built from.
        model: The model built from it.
    """
    settings = inference_settings(portable_training_model(source, model))
    for name, part in model.named_children():
        if isinstance(part, Tower) and isinstance(settings.get(name), dict):
            settings[name] = part.evaluation_settings(settings[name])
        elif type(part) is ProjectionNeck and isinstance(part.projection, nn.Identity):
            settings.pop(name, None)  # as where no neck is named
    if isinstance(preprocessor := settings.get('data_preprocessor'), dict):
        settings['data_preprocessor'] = {key: value for key, value in preprocessor.items()
                                         if key != 'batch_augments'}
    return settings


def portable_training_model(source: ModelSource, model: nn.Module) -> dict[str, Any]:
    """Return such settings with the heads, as the first fingerprints were made of.

    Args:
        source: Where the model came from.
        model: The model built from it.
    """
    with DefaultScope.overwrite_default_scope(source.scope):
        settings = _portable(source.model, MODELS)
    settings.pop('mixup', None)
    for name, part in model.named_children():
        if isinstance(part, Tower) and isinstance(settings.get(name), dict):
            settings[name] = part.portable_settings(settings[name])
    return settings


def portable_pipeline(source: ModelSource) -> list[dict[str, Any]]:
    """Return settings of the pipeline, with the tokenizer of the folder."""
    with DefaultScope.overwrite_default_scope(source.scope):
        steps = _portable(source.pipeline, TRANSFORMS)
    return [dict(step, tokenizer=_TOKENIZER) if 'tokenizer' in step else step for step in steps]


def _portable(settings: Any, registry: Registry) -> Any:
    if isinstance(settings, (list, tuple)):
        return [_portable(item, registry) for item in settings]
    if not isinstance(settings, dict):
        return settings
    portable = {key: _portable(value, registry) for key, value in settings.items()
                if key != 'init_cfg'}
    if isinstance(portable.get('type'), str):
        portable['type'] = _registered_name(portable['type'], registry)
    return portable


def _registered_name(name: str, registry: Registry) -> str:
    """Return ``scope.Name``, or ``Name`` of what all OpenMMLab projects share; else ``name``.

    A class of one scope that refines the shared one of its name goes by that name, too.
    """
    with registry.switch_scope_and_registry(None) as current:
        try:
            found = current.get(name)
        except RuntimeError:  # `type` means something else here
            return name
    root = registry.parent
    for scope, family in [('', root), *root.children.items()]:
        for short, registered in family.module_dict.items():
            if registered is found:
                shared = root.module_dict.get(short)
                refined = isclass(found) and isclass(shared) and issubclass(found, shared)
                return f'{scope}.{short}' if scope and not refined else short
    return name


def inference_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that `portable_model` builds a model for: adapters merged, no heads."""
    state = {name: tensor for name, tensor in model.state_dict().items()
             if not name.startswith('heads.')}
    merge_adapters(state)
    return state


# ------------------------------------------------------------------ folders
def write_saved_model(folder: Path, source: ModelSource, model: nn.Module, steps: list,
                      former_fingerprints: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write a model to a folder, file by file, for `find_model_source` to read.

    Args:
        folder: An existing folder; files of these names are replaced.
        source: Settings that the model was built from.
        model: The model.
        steps: Its pipeline, built.
        former_fingerprints: By which galleries of earlier versions know the model.

    Raises:
        BadValue: A part is not registered or needs files from elsewhere, so that nobody could
            build it.
    """
    settings = dict(format=_FORMAT, retriever=portable_model(source, model),
                    test_pipeline=portable_pipeline(source))
    if former_fingerprints:
        settings['former_fingerprints'] = list(former_fingerprints)
    _check_settings(settings, source.name)
    for step in steps:
        if hasattr(step, 'save_tokenizer'):
            step.save_tokenizer(folder / _TOKENIZER)
    # Copies: tensors that share memory are refused.
    state = {name: tensor.cpu().clone().contiguous()
             for name, tensor in inference_weights(model).items()}
    inputs = describe_inputs(steps, getattr(model, 'data_preprocessor', None))
    if 'vocabulary' in inputs:  # named as in the folder, so that a copy has the same bytes
        inputs['vocabulary']['tokenizer'] = _TOKENIZER
    notes = in_safetensors(inputs) or None
    write_durably(folder / _WEIGHTS, lambda path: save_file(state, path, notes))
    # Last: a folder with it is whole.
    write_durably(folder / _CONFIG, json.dumps(settings, indent=2) + '\n')


def _from_folder(folder: Path) -> ModelSource:
    file = folder / _CONFIG
    try:
        if reason := why_no_file(file, ''):
            raise BadValue(f'{file}: {reason}')
        settings = decode_json(file.read_text(encoding='utf-8'))
        if 'model_type' in settings and 'retriever' not in settings:
            raise BadValue(f'{folder}: a model of transformers, not of ours; name it '
                           f'hf:{folder}')
        if settings['format'] not in _FORMATS:
            raise BadValue(f'{file}: format must be one of {_FORMATS}, got '
                           f'{settings["format"]!r}; a newer mmtbps wrote it')
        model, pipeline = settings['retriever'], settings['test_pipeline']
        if unknown := settings.keys() - _KEYS:  # the hub's mixin would take them for arguments
            raise KeyError(*unknown)
    except FileNotFoundError:
        raise MissingFile(f'{folder}: no folder of a model: {_CONFIG} is missing. '
                          'save_pretrained writes one') from None
    except BadValue:
        raise
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadValue(f'{file} is not what save_pretrained writes ({error!r})') from None
    if not isinstance(pipeline, list) or not all(isinstance(step, dict) for step in pipeline):
        raise BadValue(f'{file}: test_pipeline must be a list of transforms')
    _check_settings(settings, str(file))
    check_sizes(settings, str(file))
    tokenizer = str((folder / _TOKENIZER).resolve())
    steps = [dict(step, tokenizer=tokenizer) if 'tokenizer' in step else step for step in pipeline]
    return ModelSource(str(folder), model, steps, weights=folder / _WEIGHTS,
                       former_fingerprints=tuple(settings.get('former_fingerprints', ())))


def _check_settings(settings: dict[str, Any], where: str) -> None:
    """Check that settings name registered classes only, and nothing outside the folder.

    MMEngine would import and call anything else.
    """
    for part, registry in (('retriever', MODELS), ('test_pipeline', TRANSFORMS)):
        for values in _dicts(settings[part]):
            if 'type' in values and not _is_registered(values['type'], registry):
                raise BadValue(f'{where}: type {values["type"]!r} is no registered class of '
                               f'{registry.name}. If it is one of yours, import its module first')
            for key in sorted(_ELSEWHERE & values.keys()):
                raise BadValue(f'{where}: {key}={values[key]!r} leads out of the folder; a saved '
                               'model brings all of its weights itself')


def _dicts(settings: Any) -> Iterator[dict[str, Any]]:
    """Yield all dicts inside settings, the outermost first."""
    if isinstance(settings, dict):
        yield settings
        settings = list(settings.values())
    if isinstance(settings, list):
        for item in settings:
            yield from _dicts(item)


def _is_registered(name: Any, registry: Registry) -> bool:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    scope, _, short = name.rpartition('.')
    families = [registry, registry.parent] if not scope else [
        family for found, family in registry.parent.children.items() if found == scope]
    for family in families:
        family.import_from_location()
        if isclass(family.module_dict.get(short)):
            return True
    return False
