"""Checkpoints that a training of ours left, with their config, as models without heads."""

from collections.abc import Mapping
from inspect import isclass
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope, Registry

from mmtbps.config_file import read_config
from mmtbps.errors import BadValue
from mmtbps.models.peft import merge_adapters
from mmtbps.models.retrievers.former_settings import rename_former_keys
from mmtbps.models.retrievers.inference import inference_settings
from mmtbps.registry import MODELS, TRANSFORMS

from .base import Conversion, ConversionOptions
from .config_text import read_config_text
from .fit import refuse_leftovers
from .source import Source

__all__ = ['convert_mmtbps', 'read_own_config', 'registered_types']

_TOWERS = ('image_backbone.', 'text_backbone.', 'image_neck.', 'text_neck.')


def read_own_config(path: Path) -> ConversionOptions:
    """Read the config that a checkpoint was trained with, as the user names it.

    Raises:
        MissingFile: there is no such file.
        BadValue: it is no config of a retriever.
    """
    return ConversionOptions(config=read_config(path, 'model', 'test_dataloader').to_dict())


def convert_mmtbps(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a checkpoint of our training: towers and necks, without heads and optimiser.

    Its config is ``options.config``, else the one that MMEngine wrote into the checkpoint. That
    one may come from a stranger: its text is not run, and names registered classes only.

    Raises:
        BadValue: there is no config, it is none of a retriever, or the towers hold other weights
            than it says.
    """
    if options.image_size or options.stride or options.activation:
        raise BadValue('its config says image size, stride and activation; leave them out')
    if options.config is None and not source.training_config:
        raise BadValue('it carries no config; name the one it was trained with by --config')
    settings = options.config or read_config_text(source.training_config)
    try:
        model, pipeline = settings['model'], settings['test_dataloader']['dataset']['pipeline']
        scope = settings.get('default_scope') or 'mmtbps'
    except (KeyError, TypeError):
        raise BadValue('its config is none of a retriever: it needs `model` and '
                       '`test_dataloader.dataset.pipeline`') from None
    if options.config is None:
        model, pipeline = registered_types(model, MODELS), registered_types(pipeline, TRANSFORMS)
    result = Conversion(model=model, pipeline=pipeline, inputs=source.inputs, no_folder='')
    with DefaultScope.overwrite_default_scope(scope):
        built = MODELS.build(inference_settings(model))
    _sort_keys(result, source, {name: tuple(value.shape)
                                for name, value in built.state_dict().items()})
    return result


def registered_types(settings: Any, registry: Registry) -> Any:
    """Return settings whose types are names of registered classes; nothing is imported.

    MMEngine would import and call whatever else a type names. Weights to start from (``init_cfg``)
    are left out.

    Args:
        settings: with types such as ``'mmtbps.models.BERTBackbone'`` or ``'BERTBackbone'``.
        registry: of the classes.

    Raises:
        BadValue: a type is no registered class.

    Example:
        >>> registered_types(dict(type='mmtbps.models.BERTBackbone', init_cfg={}), MODELS)
        {'type': 'mmtbps.BERTBackbone'}
        >>> registered_types([dict(type='os.system')], MODELS)
        Traceback (most recent call last):
        ...
        mmtbps.errors.BadValue: type 'os.system' in its config is no registered class; if it is \
one of yours, name your config by --config
    """
    if isinstance(settings, (list, tuple)):
        return [registered_types(item, registry) for item in settings]
    if not isinstance(settings, dict):
        return settings
    kept = {key: registered_types(value, registry) for key, value in settings.items()
            if key != 'init_cfg'}
    if 'type' in kept:
        kept['type'] = _registered_name(kept['type'], registry)
    return kept


def _registered_name(name: Any, registry: Registry) -> str:
    package, _, short = str(name).rpartition('.')
    package = package.partition('.')[0]
    for scope, family in [('', registry.parent), *registry.parent.children.items()]:
        family.import_from_location()
        found = family.module_dict.get(short)
        if isclass(found) and package in ('', scope, found.__module__.partition('.')[0]):
            return f'{scope}.{short}' if scope else short
    raise BadValue(f'type {name!r} in its config is no registered class; if it is one of yours, '
                   'name your config by --config')


def _sort_keys(result: Conversion, source: Source, expected: Mapping[str, tuple]) -> None:
    """Note what becomes of every key of the source; low-rank adapters are merged."""
    names = {key: key for key in source.state}
    rename_former_keys(names)
    state = {name: source.state[key] for name, key in names.items()}
    merged = merge_adapters(state, kept=expected)
    for name, value in state.items():
        key = names[name]
        if name in expected:
            result.state_dict[name] = value
            result.used.append(key)
            if tuple(value.shape) != expected[name]:
                result.misshapen.append(f'{key} is {tuple(value.shape)}, must be {expected[name]}')
        elif name.startswith('heads.'):
            result.heads[name] = value
            result.dropped[key] = f'training-only, head {name.split(".")[1]}'
        elif name.startswith(_TOWERS):
            raise BadValue(f'its towers hold weights that its config does not have, such as {key}; '
                           'name the config it was trained with by --config')
        else:
            result.unexpected.append(key)
    result.used += [names[name] for name in merged]
    refuse_leftovers(result.unexpected, 'the model of its config')
    result.missing = [name for name in expected if name not in result.state_dict]
