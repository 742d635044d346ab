"""Names of pretrained models: a local folder, one that ships here, or one of a hub."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from .errors import BadValue, MissingFile

__all__ = ['ASPECTS', 'SCHEMES', 'ModelName', 'is_dual_encoder', 'is_transformers_folder',
           'parse_model_name', 'resolve_pretrained']

#: Libraries whose dual encoders are loaded by name, SCHEME:NAME[@REVISION].
SCHEMES = ('hf', 'open_clip')
#: Ways to bring a crop of a person to the shape of a dual encoder's input.
ASPECTS = ('letterbox', 'stretch', 'processor')

_PACKAGE, _SHIPPED = Path(__file__).parent, 'mmtbps://'


def resolve_pretrained(name: str) -> str:
    """Tell a folder from a hub name, before anything tries the network.

    Args:
        name: An existing folder; or a path, which begins with ``.``, ``/`` or ``~``; or a hub
            name such as ``bert-base-uncased`` or ``google/electra-base-discriminator``; or a
            folder of this package, ``mmtbps://generation/assets/toy``.

    Returns:
        The folder or the hub name.

    Raises:
        MissingFile: A path that is not there.

    Example:
        >>> resolve_pretrained('bert-base-uncased')
        'bert-base-uncased'
    """
    shipped = name.startswith(_SHIPPED)
    folder = str(_PACKAGE / name.removeprefix(_SHIPPED)) if shipped else os.path.expanduser(name)
    if os.path.isdir(folder):
        return folder
    if shipped or name.startswith(('.', '~', os.sep)):
        raise MissingFile(
            f'{name}: no such folder. It should be a Hugging Face model folder (config.json, '
            'vocab.txt, tokenizer_config.json, model.safetensors); '
            'docs/guides/prepare_data.md#weights has the command that fetches it')
    return name


class ModelName(NamedTuple):
    """A name in its parts.

    Args:
        scheme: one of ``SCHEMES``; empty for a name without one.
        name: as the scheme reads it.
        revision: branch, tag or commit; ``None`` for the newest.
    """

    scheme: str
    name: str
    revision: str | None = None

    def __str__(self) -> str:
        scheme = f'{self.scheme}:' if self.scheme else ''
        return scheme + self.name + (f'@{self.revision}' if self.revision else '')


def parse_model_name(text: str) -> ModelName:
    """Split ``SCHEME:NAME@REVISION``. An existing folder keeps an ``@`` in its name.

    Raises:
        BadValue: name or revision are empty.

    Example:
        >>> parse_model_name('hf:openai/clip-vit-base-patch16@main')
        ModelName(scheme='hf', name='openai/clip-vit-base-patch16', revision='main')
        >>> parse_model_name('open_clip:ViT-B-16/laion2b_s34b_b88k').name
        'ViT-B-16/laion2b_s34b_b88k'
    """
    scheme, colon, rest = text.partition(':')
    if not colon or scheme not in SCHEMES:
        scheme, rest = '', text
    name, at, revision = (rest, '', '') if os.path.isdir(os.path.expanduser(rest)) else (
        rest.rpartition('@') if '@' in rest else (rest, '', ''))
    if not name or (at and not revision):
        raise BadValue(f'{text!r} is no name of a model: NAME[@REVISION], such as '
                       'hf:openai/clip-vit-base-patch16')
    return ModelName(scheme, name, revision or None)


def is_dual_encoder(model: object) -> bool:
    """Tell whether a name is one of a dual encoder: it has a scheme, or is a transformers folder.

    Example:
        >>> is_dual_encoder('hf:openai/clip-vit-base-patch16'), is_dual_encoder('vit_bert_drawn')
        (True, False)
    """
    if not isinstance(model, (str, os.PathLike)):
        return False
    return bool(parse_model_name(str(model)).scheme) or is_transformers_folder(model)


def is_transformers_folder(folder: str | os.PathLike) -> bool:
    """Tell whether a folder has a ``config.json`` of transformers, which names a ``model_type``."""
    try:
        settings = json.loads(Path(folder, 'config.json').read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and 'model_type' in settings
