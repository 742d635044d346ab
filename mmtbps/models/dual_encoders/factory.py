"""Factory of dual encoders: a model by its name, SCHEME:NAME[@REVISION]."""

import os
from collections.abc import Callable, Sequence

from mmtbps.errors import BadValue
from mmtbps.pretrained import ModelName, is_transformers_folder, parse_model_name

from .base import DualEncoder

__all__ = ['load_dual_encoder']


def load_dual_encoder(model: str | os.PathLike, aspect: str | None = None,
                      prompts: Sequence[str] | None = None,
                      notify: Callable[[str], None] | None = None) -> DualEncoder:
    """Load a pretrained dual encoder by its name.

    Args:
        model: ``'hf:owner/name'`` or ``'hf:FOLDER'`` for transformers, ``'open_clip:NAME/TAG'`` for
            open_clip, each maybe with ``@REVISION``; or a folder of transformers.
        aspect: as in :class:`DualEncoder`.
        prompts: as in :class:`DualEncoder`.
        notify: is handed the name before anything is loaded, such as to print a licence.

    Raises:
        BadValue: the name has no scheme that is known; or as the scheme's own class says.
    """
    parsed = parse_model_name(str(model))
    if not parsed.scheme and is_transformers_folder(model):
        parsed = parsed._replace(scheme='hf')
    if parsed.scheme not in _LOADERS:
        raise BadValue(f'{model}: no name of a dual encoder; it begins with '
                       f'{" or ".join(f"{scheme}:" for scheme in _LOADERS)}')
    if notify is not None:
        notify(str(parsed))
    return _LOADERS[parsed.scheme](parsed, aspect, prompts)


def _hugging_face(name: ModelName, aspect: str | None,
                  prompts: Sequence[str] | None) -> DualEncoder:
    from .hugging_face import HuggingFaceDualEncoder  # transformers takes seconds to import
    return HuggingFaceDualEncoder(name.name, name.revision, aspect, prompts)


def _open_clip(name: ModelName, aspect: str | None, prompts: Sequence[str] | None) -> DualEncoder:
    from .open_clip import OpenClipDualEncoder  # an extra, which may not be installed
    return OpenClipDualEncoder(name.name, name.revision, aspect, prompts)


# Loader of each scheme.
_LOADERS = dict(hf=_hugging_face, open_clip=_open_clip)
