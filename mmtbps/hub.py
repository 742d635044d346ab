"""The Hugging Face hub: whether it can be reached, before several files wait for it in turn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingFile, UserError

__all__ = ['HubUnreachable', 'hub_fault', 'hub_options', 'naming_the_hub']

# Of requests, httpx and its successor, which versions of huggingface_hub use in turn.
_NO_CONNECTION = {'ConnectError', 'ConnectTimeout', 'ConnectionError', 'ProxyError', 'ReadError'}


class HubUnreachable(UserError, ConnectionError):
    """A hub that no connection can be made to."""


@contextmanager
def naming_the_hub(purpose: str) -> Iterator[None]:
    """Say which hub cannot be reached, and for what: its client says that some connection failed.

    Args:
        purpose: what is not done, such as ``'pushing owner/name'``.

    Raises:
        HubUnreachable: inside, no connection could be made.

    Example:
        >>> with naming_the_hub('pushing owner/name'):
        ...     pass
    """
    try:
        yield
    except Exception as error:
        if fault := _connection_fault(error):
            raise HubUnreachable(f'{purpose}: {fault}') from error
        raise


def hub_options(name: str) -> dict[str, bool]:
    """Return options of a loading function of the hub: without a connection the cache alone.

    Args:
        name: ``owner/name``, or a folder.

    Raises:
        MissingFile: the hub cannot be reached, and its cache has nothing of the model.

    Example:
        >>> hub_options('.')
        {}
    """
    if (fault := hub_fault(name)) is None:
        return {}
    if not _is_cached(name):
        raise MissingFile(f'{name}: nothing of it is in the cache, and {fault}')
    return dict(local_files_only=True)


def hub_fault(name: str) -> str | None:
    """Ask the hub for a model, once, and return why no connection can be made.

    The hub's client tries each file six times within 23 s, which is right for a download that
    breaks and long for a machine without a network. A hub that answers, late or with an error of
    its own, is no fault here: its client deals with that.

    Args:
        name: ``owner/name``, or a folder.

    Returns:
        The reason in one line; ``None`` if the hub answers, or is not to be asked: for a folder,
        and in offline mode (``HF_HUB_OFFLINE``).

    Example:
        >>> hub_fault('.') is None
        True
    """
    if os.path.isdir(name):
        return None
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_hf_file_metadata(hf_hub_url(name, 'config.json'),
                             timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:
        return _connection_fault(error)
    return None


def _connection_fault(error: Exception) -> str | None:
    """Word an error of the hub's client, each version of which has types of its own."""
    from huggingface_hub import constants
    if any(kind.__name__ in _NO_CONNECTION for kind in type(error).__mro__):
        return f'{constants.ENDPOINT} cannot be reached ({" ".join(str(error).split())[:160]})'
    return None


def _is_cached(name: str) -> bool:
    """Tell whether the cache of the hub has files of a model."""
    from huggingface_hub import constants
    folder = f'models--{name.replace("/", "--")}'
    return os.path.isdir(os.path.join(constants.HF_HUB_CACHE, folder, 'snapshots'))
