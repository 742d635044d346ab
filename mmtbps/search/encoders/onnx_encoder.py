"""Encoder of an exported model on ONNX Runtime, without torch and without MMEngine.

A folder written by `mmtbps.search.encoders.onnx_export` is all that is needed, with onnxruntime,
tokenizers, Pillow and numpy. Both graphs give unit features; the image graph takes RGB pixels as
they are and normalises them itself.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.letterbox import letterbox
from mmtbps.lexicon.caption_cleaning import find_cleaning

from .base import Fingerprint
from .graph_encoder import GraphEncoder, import_package, open_graph

__all__ = ['OnnxEncoder', 'graph_file', 'pad', 'read_manifest', 'sha256_of']

MANIFEST, TOKENIZER = 'export.json', 'tokenizer.json'
#: Of our models, and of pretrained ones, whose crops and texts have a further way.
SCHEMAS = ('mmtbps.export/1', 'mmtbps.export/2')
PRECISIONS = ('fp32', 'int8')
_KEYS = {'precision', 'dim', 'fingerprint', 'image', 'text', 'files'}


class OnnxEncoder(GraphEncoder):
    """Encoder of an exported model, by ONNX Runtime on the CPU.

    It has the fingerprint of the torch model it was exported from, in either precision: its
    features may be searched in, and added to, a gallery of that model. In fp32 they are the same
    features (cosine at least 0.99999); in int8 they are close (at least 0.995), and the manifest
    says how close.

    Args:
        folder: Written by `mmtbps.search.encoders.onnx_export.export_encoder`.
        precision: ``'fp32'`` or ``'int8'``; by default what the export was asked for.
        batch_size: Inputs of one run of a graph. One is fastest on a CPU, and the only number at
            which the int8 feature of an input is independent of its neighbours: a batch shares
            its scale of quantisation.
        threads: Threads of one run; by default one for each core.

    Attributes:
        dim: Length of a feature.
        fingerprint: Of the torch model, see `mmtbps.search.encoders.base.Encoder`.
        precision: In use.
        manifest: Content of ``export.json``.

    Raises:
        MissingPackage: onnxruntime or tokenizers is missing; the message names the extra.
        MissingFile: The folder is no export, or lacks the precision or a file.
        BadValue: A file is not the one that was exported: damaged, cut short, exchanged.
    """

    def __init__(self, folder: str | os.PathLike, precision: str | None = None,
                 batch_size: int = 1, threads: int | None = None) -> None:
        self.folder, self.manifest = Path(folder), read_manifest(folder)
        self.precision = precision or self.manifest['precision']
        if self.precision not in PRECISIONS:
            raise BadValue(f'precision must be one of {PRECISIONS}, got {self.precision!r}')
        super().__init__(self._load_tokenizer(), self.manifest['text'].get('prompts', ['{}']),
                         batch_size)
        self.dim = self.manifest['dim']
        self.fingerprint = Fingerprint(self.manifest['fingerprint'],
                                       lambda: self.manifest.get('former_fingerprints', ()))
        height, width = self.manifest['image']['size']
        self._size = width, height
        self._filter = Image.Resampling[self.manifest['image']['resize'].upper()]
        self._color = self.manifest['image'].get('letterbox')
        self._clean = find_cleaning(self.manifest['text'].get('clean'))
        self._image, self._text = (
            open_graph(self._checked(graph_file(tower, self.precision)), threads)
            for tower in ('image', 'text'))

    @property
    def address(self) -> str:
        """The folder, wherever one stands."""
        return os.path.abspath(self.folder)

    def probability(self, score: float) -> float | None:
        """Return the probability that an image and a sentence of this cosine belong together.

        Returns:
            A number of 0-1; None if the model was not trained for it.
        """
        known = self.manifest.get('score')
        return None if known is None else 1 / (
            1 + math.exp(-(known['scale'] * score + known['bias'])))

    def __repr__(self) -> str:
        return f'OnnxEncoder({str(self.folder)!r}, precision={self.precision!r})'

    def shape_image(self, image: Image.Image) -> Image.Image:
        if self._color is not None:  # the margins of a letterbox
            image = letterbox(image, self._size[::-1], self._color)
        return image.resize(self._size, self._filter)

    def clean_text(self, text: str) -> str:
        return self._clean(text)

    def run_images(self, pixels: np.ndarray) -> np.ndarray:
        return self._image.run(None, dict(images=pixels))[0]

    def run_texts(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        text = self.manifest['text']
        ids, mask = pad(rows, text['pad_token_id'], text.get('min_length', 0))
        return self._text.run(None, dict(input_ids=ids, attention_mask=mask))[0]

    def _load_tokenizer(self):
        tokenizers = import_package('tokenizers', 'OnnxEncoder')
        tokenizer = tokenizers.Tokenizer.from_file(str(self._checked(TOKENIZER)))
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = self.manifest['text'].get('literal_special_tokens', False)
        tokenizer.enable_truncation(self.manifest['text']['max_length'])
        return tokenizer

    def _checked(self, name: str) -> Path:
        """Return the path of a file of the export, after comparing its size and SHA-256."""
        path, expected = self.folder / name, self.manifest['files'].get(name)
        if expected is None or not path.is_file():
            raise MissingFile(
                f'{path}: {"missing" if expected else "not exported"}; '
                f'{self.folder} holds {sorted(file.name for file in self.folder.iterdir())}. '
                'An export always has fp32 graphs, and int8 graphs if it was asked for them. '
                'Copy the folder again, or export again', Remedy('export'))
        size = path.stat().st_size
        if size != expected['bytes'] or sha256_of(path) != expected['sha256']:
            raise BadValue(
                f'{path}: not the file that was exported ({size} bytes of {expected["bytes"]}, '
                'or another SHA-256). Copy the folder again, or export again', Remedy('export'))
        return path


def graph_file(tower: str, precision: str) -> str:
    """Return the file name of a tower's graph.

    Example:
        >>> graph_file('text', 'fp32'), graph_file('text', 'int8')
        ('text.onnx', 'text.int8.onnx')
    """
    return f'{tower}.onnx' if precision == 'fp32' else f'{tower}.{precision}.onnx'



def read_manifest(folder: str | os.PathLike) -> dict[str, Any]:
    """Read ``export.json`` of an exported folder.

    Raises:
        MissingFile: There is none.
        BadValue: It is damaged or of another version.
    """
    path = Path(folder, MANIFEST)
    if not path.is_file():
        raise MissingFile(f'{path}: no such file; an exported model has one', Remedy('export'))
    try:
        manifest = json.loads(path.read_bytes())
        schema = manifest.get('schema')
    except (ValueError, AttributeError) as error:
        raise BadValue(f'{path}: damaged ({error}). Copy the folder again, or export again',
                       Remedy('export')) from error
    if schema not in SCHEMAS:
        raise BadValue(f'{path}: schema must be {" or ".join(map(repr, SCHEMAS))}, got {schema!r}: '
                       'another version of mmtbps wrote it. Export again', Remedy('export'))
    if missing := sorted(_KEYS - manifest.keys()):
        raise BadValue(f'{path}: damaged (it lacks {", ".join(missing)}). Copy the folder again, '
                       'or export again', Remedy('export'))
    return manifest


def sha256_of(path: str | os.PathLike) -> str:
    """Compute the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()



def pad(rows: Sequence[Sequence[int]], pad_token_id: int,
        min_length: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows of token ids to ``(N, L)`` int64 ids and bool mask.

    Args:
        rows: N rows of ids.
        pad_token_id: Filler.
        min_length: L is the longest row's length, and no less than this.

    Example:
        >>> ids, mask = pad([[2, 7, 3], [2, 3]], 0)
        >>> ids.tolist(), mask.tolist()
        ([[2, 7, 3], [2, 3, 0]], [[True, True, True], [True, True, False]])
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(max(lengths.max(), min_length))[None] < lengths[:, None]
    ids = np.full(mask.shape, pad_token_id, np.int64)
    ids[mask] = np.concatenate([np.array(row, np.int64) for row in rows])
    return ids, mask
