"""Pipelines of diffusers: loaded by class name, checked before any weight of them is used."""

import json
import os
from collections.abc import Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch

from mmtbps.errors import BadValue, MissingFile, MissingPackage, first_line

from .latent_diffusion import check_source
from .loaded_parts import check_weights, load_text_models

__all__ = ['check_stable_diffusion', 'load_pipeline', 'pipeline_class']

_MORE_THAN_TEXT = ('addition_embed_type', 'class_embed_type', 'num_class_embeds',
                   'time_cond_proj_dim')
_UNET = 'UNet2DConditionModel'
_SERVED = ('it works with the UNet of Stable Diffusion 1 and 2. InstructEditor edits with FLUX '
           'Kontext, Qwen-Image-Edit, Stable Diffusion XL and others')


def pipeline_class(name: str) -> type:
    """Return a pipeline of diffusers by its class name.

    Raises:
        BadValue: If diffusers has no such pipeline.
    """
    import diffusers  # seconds to import, and training runs never need it
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.DiffusionPipeline)
            and kind is not diffusers.DiffusionPipeline):
        raise BadValue(f'diffusers {diffusers.__version__} has no pipeline {name!r}')
    return kind


def load_pipeline(pipeline: str, pretrained: str, dtype: torch.dtype, revision: str | None = None,
                  **arguments: Any) -> Any:
    """Load a pipeline of diffusers by class name, from a folder or the Hugging Face hub.

    Raises:
        MissingPackage: If diffusers, or what a part of the model needs, is not installed.
        MissingFile: If there is no such folder, or neither hub nor cache gives the model.
        BadValue: If diffusers has no such pipeline, or the model lacks parts of it, or its weights
            are not those of its configs, or no numbers.
    """
    source = check_source(pretrained)
    kind = pipeline_class(pipeline)
    place = dict(local_files_only=os.path.isdir(source), revision=revision)
    try:
        settings = kind.load_config(source, **place)
        _check_parts(kind, pretrained, settings, arguments)
        arguments |= load_text_models(source, settings, arguments, dtype, place)
        pipe = kind.from_pretrained(source, dtype=dtype, **place, **arguments)
    except BadValue:
        raise
    except ImportError as error:
        raise MissingPackage(f'{pretrained}: {pipeline} needs a package that is not installed '
                             f'({first_line(error)})') from error
    except OSError as error:
        raise MissingFile(_not_loaded(pipeline, pretrained, source, error)) from error
    except ValueError as error:
        raise BadValue(_not_loaded(pipeline, pretrained, source, error)) from error
    check_weights(pipe, pretrained)
    return pipe


def _not_loaded(pipeline: str, pretrained: str, source: str, error: Exception) -> str:
    said = f'{pretrained}: {pipeline} cannot be loaded from it'
    if os.path.isdir(source):
        return (f'{said} ({first_line(error)}). The folder should hold a whole model of diffusers: '
                'model_index.json, and a folder for each part that it names')
    return (f'{said}, neither as a folder here nor from the Hugging Face hub or its cache '
            f'({first_line(error)}). With a network: `hf download {pretrained} --local-dir '
            '<folder>`, then name that folder')


def check_stable_diffusion(model: Any, user: str) -> None:
    """Check that a model is of Stable Diffusion 1 or 2, before its weights are used.

    Args:
        model: A pipeline or what stands for one, or a folder, of which only the configs are read.
            A hub name passes: nothing is fetched.
        user: Name of the part that asks, for the message.

    Raises:
        BadValue: Naming the pipeline's class and another editor, if there is no UNet, it is one of
            videos or without texts, it takes more than a text beside the latents, or it takes more
            than latents.
    """
    if isinstance(model, str):
        if not os.path.isdir(model):
            return
        settings = _read_json(Path(model, 'model_index.json'))
        name, unet = settings.get('_class_name', model), _read_json(
            Path(model, 'unet', 'config.json'))
        present = 'unet' in settings or not settings
    else:
        name, present = type(model).__name__, getattr(model, 'unet', None) is not None
        config = getattr(getattr(model, 'unet', None), 'config', None)
        unet = config if isinstance(config, Mapping) else {}
        unet = {**unet, '_class_name': type(getattr(model, 'unet', None)).__name__}
    kind = str(unet.get('_class_name', ''))
    taken, given = unet.get('in_channels'), unet.get('out_channels')
    if not present:
        reason = 'it has no UNet'
    elif kind.startswith('UNet') and kind != _UNET:
        reason = f'its UNet is a {kind}'
    elif any(unet.get(key) for key in _MORE_THAN_TEXT) or 'image' in str(
            unet.get('encoder_hid_dim_type')):
        reason = 'its UNet takes more than a text, as that of Stable Diffusion XL does'
    elif taken != given:
        reason = f'its UNet takes {taken} channels and gives {given}: it needs a second image'
    else:
        return
    raise BadValue(f'{user} takes no {name}: {reason}; {_SERVED}')


def _check_parts(kind: type, pretrained: str, settings: Any, arguments: Mapping[str, Any]) -> None:
    """Check that a model has every part of a pipeline, before gigabytes of it are read."""
    if not isinstance(settings, Mapping):
        raise BadValue(f'{pretrained}: its model_index.json is no object of parts')
    needed = [name for name, parameter in signature(kind.__init__).parameters.items()
              if name != 'self' and parameter.default is Parameter.empty
              and name not in kind._optional_components and name not in arguments]
    missing = [name for name in needed if (settings.get(name) or [None])[0] is None]
    if missing:
        raise BadValue(f'{pretrained} holds a {settings.get("_class_name")}, not a '
                       f'{kind.__name__}: it has no {", ".join(missing)}')
    # A tokenizer is made of nothing where its folder is missing, and knows no word.
    if lost := [name for name in needed if os.path.isdir(pretrained)
                and not os.path.isdir(os.path.join(pretrained, name))]:
        raise BadValue(f'{pretrained}: its model_index.json names {", ".join(lost)}, but there is '
                       'no such folder in it')


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}
