"""Names of pretrained models: a local folder, or a model of the Hugging Face hub."""

import os

__all__ = ['resolve_pretrained']


def resolve_pretrained(name: str) -> str:
    """Tell a folder from a hub name, before anything tries the network.

    Args:
        name: an existing folder; or a path, which begins with ``.``, ``/`` or ``~``; or a hub
            name such as ``bert-base-uncased`` or ``google/electra-base-discriminator``.

    Returns:
        The folder or the hub name.

    Raises:
        FileNotFoundError: a path that is not there.

    Example:
        >>> resolve_pretrained('bert-base-uncased')
        'bert-base-uncased'
    """
    folder = os.path.expanduser(name)
    if os.path.isdir(folder):
        return folder
    if name.startswith(('.', '~', os.sep)):
        raise FileNotFoundError(
            f'{name}: no such folder. It should be a Hugging Face model folder (config.json, '
            'vocab.txt, tokenizer_config.json, model.safetensors); '
            'docs/guides/prepare_data.md says where to get it and where to put it')
    return name
