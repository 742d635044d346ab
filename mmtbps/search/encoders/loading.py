"""Factory of encoders: a model by its name or folder, in the runtime that it is made for."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile
from mmtbps.hub import hub_options
from mmtbps.pretrained import is_dual_encoder

from .base import Encoder
from .immich_encoder import ImmichEncoder, is_immich_folder
from .onnx_encoder import MANIFEST, OnnxEncoder

__all__ = ['fetch_saved_model', 'find_graphs', 'load_encoder']

_ONNX = 'onnx:'

# A name on the hub; a path begins with a dot or a slash, or ends in a suffix of a file.
_HUB_NAME = re.compile(r'[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?')


def load_encoder(model: Any, weights: str | None = None, device: str | None = None,
                 aspect: str | None = None, prompts: Sequence[str] | None = None,
                 notify: Callable[[str], None] | None = None) -> Encoder:
    """Load a model as an encoder: on ONNX Runtime if it is a folder of graphs, else in torch.

    Args:
        model: A folder of graphs, or ``'onnx:FOLDER'``, for ONNX Runtime: written by
            `mmtbps.search.encoders.export_encoder`, or in the layout of Immich, see
            `mmtbps.search.encoders.ImmichEncoder`; ``'hf:NAME[@REVISION]'``, ``'hf:FOLDER'`` or
            ``'open_clip:NAME/TAG'`` for a pretrained dual encoder of another library, see
            `mmtbps.search.encoders.PretrainedEncoder`; anything else is ours, see
            `mmtbps.search.encoders.torch_encoder.TorchEncoder`: a config, a folder, or
            ``'owner/name[@REVISION]'`` on the hub.
        weights: Checkpoint of a config; all other models bring their own.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default the best there is.
        aspect: ``'letterbox'``, ``'stretch'`` or ``'processor'``, for a pretrained dual encoder or
            the layout of Immich.
        prompts: Templates with one ``{}``, for the same.
        notify: Is handed the name of a pretrained dual encoder before anything is loaded.

    Raises:
        BadValue: Weights, a device, an aspect or prompts are given for a model that takes none.
        UserError: The model cannot be loaded; the message says why.

    Example::

        encoder = load_encoder('vit_bert_pdg_drawn', 'best.pth')
        encoder.encode_texts(['a man in a red coat']).shape  # (1, dim)
        load_encoder('hf:openai/clip-vit-base-patch16')
    """
    graphs = find_graphs(model)
    if graphs is None and is_dual_encoder(model):
        return _load_pretrained(str(model), weights, device, aspect, prompts, notify)
    if graphs is not None and (weights is not None or device not in (None, 'cpu')):
        raise BadValue(f'{model} is an exported model: it brings its weights and runs on the '
                       'CPU; leave weights and device out')
    if graphs is not None:
        exported = Path(graphs, MANIFEST).is_file()
        return _load_exported(graphs, aspect, prompts) if exported else ImmichEncoder(
            graphs, aspect, prompts)
    if aspect is not None or prompts:
        raise BadValue(f'{model}: aspect and prompts are for pretrained models of other libraries '
                       '(hf:NAME, open_clip:NAME/TAG); this one has its own preprocessing')
    from .torch_encoder import TorchEncoder  # torch may not be installed beside ONNX Runtime
    return TorchEncoder(fetch_saved_model(model) if weights is None else model, weights=weights,
                        device=device)


def _load_exported(folder: Path, aspect: str | None,
                   prompts: Sequence[str] | None) -> OnnxEncoder:
    encoder = OnnxEncoder(folder)
    known = encoder.fingerprint
    if aspect not in (None, known.get('aspect')) or (
            prompts and [*prompts] != known.get('prompts')):
        raise BadValue(f'{folder}: an exported model keeps the aspect and the prompts that it was '
                       f'exported with; here {known.get("aspect", "its own")} and '
                       f'{known.get("prompts", "none")}')
    return encoder


def find_graphs(model: Any) -> Path | None:
    """Find the folder of ONNX graphs that a name means; None for any other model.

    Args:
        model: As for `load_encoder`.

    Raises:
        MissingFile: It begins with ``onnx:`` and is no such folder.
    """
    if not isinstance(model, (str, Path)):
        return None
    folder = Path(str(model).removeprefix(_ONNX)).expanduser()
    if (folder / MANIFEST).is_file() or is_immich_folder(folder):
        return folder
    if str(model).startswith(_ONNX):
        raise MissingFile(f'{model}: no folder of ONNX graphs: it has neither {MANIFEST} nor '
                          'visual/model.onnx and textual/model.onnx')
    return None


def _load_pretrained(model: str, weights: str | None, device: str | None, aspect: str | None,
                     prompts: Sequence[str] | None,
                     notify: Callable[[str], None] | None) -> Encoder:
    if weights is not None:
        raise BadValue(f'{model} brings its weights; leave {weights} out')
    from .pretrained_encoder import PretrainedEncoder
    return PretrainedEncoder(model, device, aspect=aspect, prompts=prompts, notify=notify)


def fetch_saved_model(model: Any) -> Any:
    """Download a model of ours from the Hugging Face hub, if a name is one of it.

    Args:
        model: ``'owner/name[@REVISION]'``, with no such file or folder here; anything else is
            returned as it is.

    Returns:
        The folder of the model.

    Raises:
        MissingFile: It cannot be had from the hub.
    """
    if not isinstance(model, str) or os.path.exists(model) or not _HUB_NAME.fullmatch(
            model) or Path(model).suffix in ('.py', '.pth'):
        return model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from .saved_model import FILES
    name, _, revision = model.partition('@')
    try:
        return snapshot_download(name, revision=revision or None, allow_patterns=list(FILES),
                                 **hub_options(name))
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError, MissingFile
            ) as error:
        raise MissingFile(
            f'{model}: no such folder here, and not loaded from the Hugging Face hub '
            f'({str(error).strip().splitlines()[0][:160]}). A model of transformers is named '
            f'hf:{model}') from error
