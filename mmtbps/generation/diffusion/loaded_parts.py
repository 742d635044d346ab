"""Parts of a pipeline as they were loaded: all weights there, all of them numbers, words known."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mmtbps.errors import BadValue
from mmtbps.pretrained import resolve_pretrained

__all__ = ['check_weights', 'fuse_lora', 'load_text_models']


def load_text_models(source: str, settings: Mapping[str, Any], given: Mapping[str, Any],
                     dtype: torch.dtype, place: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Load the parts of a pipeline that are models of transformers, all of their weights or none.

    Left to diffusers, what is not in the files would begin at random, with no more than a line in
    the log.

    Args:
        source: Folder or hub name.
        settings: Those of the pipeline: name of a part -> library and class.
        given: Parts that are not to be loaded.
        dtype: Type of the weights.
        place: Keywords of loading, such as the revision.

    Returns:
        The models by the names of their parts.

    Raises:
        BadValue: If weights are missing or of another shape than the config says.
    """
    import transformers
    models = {}
    for name, value in settings.items():
        library, class_name = value if isinstance(value, (list, tuple)) and len(value) == 2 else (
            None, None)
        kind = getattr(transformers, str(class_name), None)
        if name in given or library != 'transformers' or not (
                isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
            continue
        models[name], report = kind.from_pretrained(
            source, subfolder=name, torch_dtype=dtype, output_loading_info=True,
            ignore_mismatched_sizes=True, **place)
        other_shape = [key for key, *_ in report['mismatched_keys']]
        if wrong := sorted({*report['missing_keys'], *other_shape}):
            raise BadValue(_no_fit(source, name, wrong))
    return models


def check_weights(pipe: Any, pretrained: str) -> None:
    """Check the parts of a loaded pipeline before anything is made with them.

    Args:
        pipe: Pipeline of diffusers.
        pretrained: Name of its model, for the message.

    Raises:
        BadValue: If weights are missing, or NaN or infinite, or a tokenizer knows no words.
    """
    for name, part in pipe.components.items():
        if isinstance(part, nn.Module):
            values = dict(part.state_dict())
            if missing := [key for key, value in values.items() if value.is_meta]:
                raise BadValue(_no_fit(pretrained, name, missing))
            if broken := [key for key, value in values.items()
                          if not torch.isfinite(value).all()]:
                raise BadValue(f'{pretrained}: {name}, {broken[0]} holds NaN or infinity: the file '
                               'is damaged, or its numbers are too large for this dtype')
        elif hasattr(part, 'get_vocab') and len(part) <= len(part.all_special_tokens):
            raise BadValue(f'{pretrained}: its {name} knows no words: files of it are missing')


def fuse_lora(pipe: Any, lora: str) -> None:
    """Load the updates of a LoRA and add them to the weights of a pipeline.

    Raises:
        MissingFile: If it is a path to nothing.
        BadValue: If the pipeline takes none, or this is none for it.
    """
    if not hasattr(pipe, 'load_lora_weights'):
        raise BadValue(f'{type(pipe).__name__} takes no LoRA, got {lora!r}')
    folder = resolve_pretrained(lora)
    try:
        pipe.load_lora_weights(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadValue(f'{lora}: no LoRA of {type(pipe).__name__} can be read from it '
                       f'({" ".join(str(error).split())[:160]})') from error
    if not any(pipe.get_list_adapters().values()):  # of another family: no key of it fitted
        raise BadValue(f'{lora}: it holds nothing for the parts of {type(pipe).__name__}; it is a '
                       'LoRA of another model')
    pipe.fuse_lora()


def _no_fit(pretrained: str, part: str, keys: list[str]) -> str:
    return (f'{pretrained}: the weights of {part} and its config.json do not belong together: '
            f'{len(keys)} are missing or of another shape, such as {keys[0]}')
