"""Files of weights to hand on: no optimizer, no code, the hash in the name."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.fileio import load_checkpoint_file, write_durably
from mmtbps.models.peft import merge_adapters
from mmtbps.models.trained_inputs import in_safetensors, inputs_of_checkpoint
from mmtbps.version import __version__

__all__ = ['publish_weights']

_HASH = 8


def publish_weights(checkpoint: str | os.PathLike, target: str | os.PathLike,
                    heads: bool = False) -> Path:
    """Write the weights of a checkpoint as a safetensors file with its hash in the name.

    ``torch.hub`` checks such a hash: the first signs of the SHA-256 of the file. Equal weights give
    an equal file. Low-rank adapters are merged, so a plain model takes it.

    Args:
        checkpoint: of a training, or weights alone.
        target: file to write; ``-HASH.safetensors`` takes the place of its suffix.
        heads: keep the weights of heads, which act in training alone.

    Returns:
        The file that was written.

    Raises:
        BadValue: the checkpoint holds no weights.
    """
    loaded = load_checkpoint_file(checkpoint)
    weights = loaded.get('state_dict', loaded)
    state = {name.removeprefix('module.'): value.detach().contiguous().clone()
             for name, value in weights.items() if isinstance(value, Tensor)}
    if not heads:
        state = {name: value for name, value in state.items() if not name.startswith('heads.')}
    merge_adapters(state)
    if not state:
        raise BadValue(f'{checkpoint}: it holds no weights of a model')
    content = _in_one_order(save(state, _notes(loaded)))
    digest = hashlib.sha256(content).hexdigest()[:_HASH]
    path = Path(target)
    stem = path.stem if path.suffix in ('.pth', '.pt', '.safetensors') else path.name
    path = path.with_name(f'{stem}-{digest}.safetensors')
    write_durably(path, content)
    return path


def _in_one_order(content: bytes) -> bytes:
    """Sort the notes in the header of a safetensors file, which are written in any order."""
    length = int.from_bytes(content[:8], 'little')
    header = json.loads(content[8:8 + length])
    header['__metadata__'] = dict(sorted(header['__metadata__'].items()))
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    return len(text).to_bytes(8, 'little') + text + content[8 + length:]


def _notes(loaded: dict[str, Any]) -> dict[str, str]:
    """Return what the file says of its weights, as texts."""
    meta = loaded.get('meta') or {}
    notes = {'format': 'pt', 'mmtbps': __version__}
    for key in ('epoch', 'iter', 'dataset_meta'):
        if meta.get(key) is not None:
            notes[key] = json.dumps(meta[key], sort_keys=True, default=str)
    return notes | in_safetensors(inputs_of_checkpoint(loaded))

