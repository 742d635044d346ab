"""Names of pretrained models: a local folder, one that ships here, or one of a hub."""

import os
from pathlib import Path

from .errors import MissingFile

__all__ = ['resolve_pretrained']

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
            'docs/guides/prepare_data.md says where to get it and where to put it')
    return name
