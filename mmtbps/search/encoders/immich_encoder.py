"""Encoder of a model in the layout of Immich: two ONNX graphs in two folders, without torch.

https://github.com/immich-app/immich, whose models on the Hugging Face hub have these files::

    config.json                                           of open_clip, with text_cfg
    visual/model.onnx   visual/preprocess_cfg.json        image: float32 (N, 3, H, W), normalised
    textual/model.onnx  textual/tokenizer.json  textual/tokenizer_config.json      text: (N, L)
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingFile
from mmtbps.letterbox import letterbox
from mmtbps.lexicon.caption_cleaning import find_cleaning
from mmtbps.pretrained import ASPECTS

from .base import Fingerprint
from .graph_encoder import GraphEncoder, import_package, open_graph
from .onnx_encoder import pad, sha256_of

__all__ = ['ImmichEncoder', 'cover', 'is_immich_folder']

_GRAPHS = 'visual/model.onnx', 'textual/model.onnx'
_TYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(int32)': np.int32,
          'tensor(int64)': np.int64}
#: Names of the text graph's ids; some graphs take a mask, too.
_IDS, _MASK = ('text', 'input_ids'), 'attention_mask'
_CONTEXT = 77  # of CLIP


def is_immich_folder(folder: str | os.PathLike) -> bool:
    """Tell whether a folder has both graphs of the layout."""
    return all(Path(folder, name).is_file() for name in _GRAPHS)


def cover(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """Resize a picture so that it covers a size, and cut the middle out.

    Args:
        image: Of any size.
        size: (height, width).
        resample: Filter of Pillow.

    Example:
        >>> cover(Image.new('RGB', (48, 128)), (32, 32), Image.Resampling.BICUBIC).size
        (32, 32)
    """
    height, width = size
    factor = max(height / image.height, width / image.width)
    wide, high = max(width, int(image.width * factor)), max(height, int(image.height * factor))
    left, top = round((wide - width) / 2), round((high - height) / 2)
    return image.resize((wide, high), resample).crop((left, top, left + width, top + height))


class ImmichEncoder(GraphEncoder):
    """Encoder of a model in Immich's layout, by ONNX Runtime on the CPU.

    Args:
        folder: With ``visual/``, ``textual/`` and ``config.json``.
        aspect: ``'letterbox'`` (default) pads a crop to the shape of the input with the model's
            mean colour; ``'stretch'`` brings it to that shape; ``'processor'`` does as the model's
            settings say: cuts the middle out (``resize_mode`` ``shortest``) or stretches
            (``squash``).
        prompts: Templates with one ``{}``, whose features are averaged; by default the bare text.
        batch_size: Inputs of one run of a graph.
        threads: Threads of one run; by default one for each core.

    Attributes:
        dim: Length of a feature.
        aspect: In use.

    Raises:
        MissingPackage: onnxruntime or tokenizers is missing; the message names the extra.
        MissingFile: A file of the layout is missing.
        BadValue: A file is damaged, or a setting or an input of a graph is unknown.
    """

    def __init__(self, folder: str | os.PathLike, aspect: str | None = None,
                 prompts: Sequence[str] | None = None, batch_size: int = 1,
                 threads: int | None = None) -> None:
        self.folder, self.aspect = Path(folder).expanduser(), aspect or ASPECTS[0]
        prompts = [prompts] if isinstance(prompts, str) else list(prompts or ['{}'])
        if self.aspect not in ASPECTS or any(prompt.count('{}') != 1 for prompt in prompts):
            raise BadValue(f'aspect must be one of {", ".join(ASPECTS)}, and a prompt needs {{}} '
                           f'once; got {aspect!r} and {prompts}')
        self._pixels = _read_pixels(self.folder / 'visual/preprocess_cfg.json')
        self._words = _read_words(self.folder)
        self._clean = find_cleaning('siglip' if self._words['canonicalize'] else None)
        super().__init__(_load_tokenizer(self.folder, self._words['length']), prompts, batch_size)
        self._image, self._text = (open_graph(self.folder / name, threads) for name in _GRAPHS)
        self._check_inputs()
        self.dim = self._run_asked(self._asked(['a person'])).shape[1]

    def shape_image(self, image: Image.Image) -> Image.Image:
        size, resample = self._pixels['size'], self._pixels['resample']
        if self.aspect == 'stretch':
            resample = Image.Resampling.BICUBIC  # as for every model of a fixed shape
        elif self.aspect == 'letterbox':
            mean = [round(255 * part) for part in self._pixels['mean']]
            image = letterbox(image, size, mean)
        elif self._pixels['mode'] == 'shortest':
            return cover(image, size, resample)
        return image.resize(size[::-1], resample)

    def clean_text(self, text: str) -> str:
        return self._clean(' '.join(text.split()))

    def run_images(self, pixels: np.ndarray) -> np.ndarray:
        values = (pixels / np.float32(255) - self._pixels['mean']) / self._pixels['std']
        name, = self._image.get_inputs()
        return _unit(self._image.run(None, {name.name: np.ascontiguousarray(
            values.transpose(0, 3, 1, 2), _TYPES[name.type])}))

    def run_texts(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        ids, mask = pad(rows, self._words['pad'], self._words['length'])
        return _unit(self._text.run(None, {
            given.name: (mask if given.name == _MASK else ids).astype(_TYPES[given.type])
            for given in self._text.get_inputs()}))

    @property
    def address(self) -> str:
        """The folder, wherever one stands."""
        return os.path.abspath(self.folder)

    @cached_property
    def description(self) -> dict[str, Any]:
        """Folder, hash of the graphs, aspect and prompts, in JSON types."""
        return dict(name=self.address, revision=None, weights=self._hash_graphs(),
                    aspect=self.aspect, positions='as trained', prompts=list(self.prompts),
                    tokens=self._words['length'], scale=None, bias=None, probability=False)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The hashes of graphs and preprocessing, with aspect and prompts."""
        settings = [self._pixels, self._words, self.tokenizer.to_str()]
        text = json.dumps(settings, sort_keys=True, default=lambda array: array.tolist())
        return Fingerprint(dict(
            version=2, model=self.description['weights'],
            pipeline=hashlib.sha256(text.encode()).hexdigest(), aspect=self.aspect,
            prompts=list(self.prompts), dim=self.dim))

    def __repr__(self) -> str:
        return f'ImmichEncoder({str(self.folder)!r}, aspect={self.aspect!r})'

    def _hash_graphs(self) -> str:
        """Hash both graphs; large ones have their weights in files beside them."""
        files = [file for name in _GRAPHS for file in sorted(
            Path(self.folder, name).parent.iterdir())
            if file.is_file() and file.suffix not in ('.json', '.txt', '.md', '.rknn', '.armnn')]
        return hashlib.sha256(''.join(map(sha256_of, files)).encode()).hexdigest()

    def _check_inputs(self) -> None:
        """Refuse graphs that take something else than pictures, or ids and perhaps a mask."""
        texts = {given.name for given in self._text.get_inputs()} - {_MASK}
        given = [*self._image.get_inputs(), *self._text.get_inputs()]
        strange = [f'{part.name} {part.type}' for part in given if part.type not in _TYPES]
        if len(self._image.get_inputs()) != 1 or len(texts) != 1 or texts - {*_IDS} or strange:
            raise BadValue(f'{self.folder}: its graphs take {[part.name for part in given]}'
                           f'{" of an unknown type" if strange else ""}; known are one picture, '
                           f'and {" or ".join(_IDS)} with or without {_MASK}')


def _unit(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Bring the first output to length 1; some graphs give more."""
    features = outputs[0].astype(np.float32)
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFile(f'{path}: missing; the layout of Immich has config.json, '
                          'visual/model.onnx, visual/preprocess_cfg.json, textual/model.onnx, '
                          'textual/tokenizer.json and textual/tokenizer_config.json')
    try:
        settings = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadValue(f'{path}: no JSON ({error})') from error
    if not isinstance(settings, dict):
        raise BadValue(f'{path}: must be a JSON object, got {type(settings).__name__}')
    return settings


def _read_pixels(path: Path) -> dict[str, Any]:
    """Read the way from a picture to the image graph's input."""
    settings = _read_json(path)
    try:
        size, mode = settings['size'], settings.get('resize_mode', 'shortest')
        height, width = (size, size) if isinstance(size, int) else size
        if mode not in ('shortest', 'squash') or min(height, width) < 1:
            raise ValueError(f'resize_mode {mode!r}, size {size}')
        resample = Image.Resampling[settings.get('interpolation', 'bicubic').upper()]
        mean, std = (np.array(settings[key], np.float32) for key in ('mean', 'std'))
        if mean.shape != (3,) or std.shape != (3,) or not std.all():
            raise ValueError(f'mean {mean.tolist()}, std {std.tolist()}')
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadValue(f'{path}: it needs size, mean and std, with an interpolation of Pillow and '
                       f'resize_mode shortest or squash ({error!r})') from error
    return dict(size=(int(height), int(width)), mode=mode, resample=resample, mean=mean, std=std)


def _read_words(folder: Path) -> dict[str, Any]:
    """Read the way from a sentence to the text graph's input."""
    settings = _read_json(folder / 'config.json')
    try:
        text = settings.get('model_cfg', settings).get('text_cfg', {})
        clean = text.get('tokenizer_kwargs', {}).get('clean')
        length = int(text.get('context_length', _CONTEXT))
    except (AttributeError, TypeError, ValueError) as error:
        raise BadValue(f'{folder / "config.json"}: its text_cfg is none of open_clip '
                       f'({error})') from error
    file = folder / 'textual/tokenizer_config.json'
    token = _read_json(file).get('pad_token')
    token = token.get('content') if isinstance(token, dict) else token
    tokenizer = _open_tokenizer(folder)
    if not isinstance(token, str) or (pad_id := tokenizer.token_to_id(token)) is None:
        raise BadValue(f'{file}: pad_token must be a token of tokenizer.json, got {token!r}')
    return dict(length=length, pad=pad_id, canonicalize=clean == 'canonicalize')


def _open_tokenizer(folder: Path) -> Any:
    path = folder / 'textual/tokenizer.json'
    _read_json(path)  # the package panics on a file that is none
    try:
        return import_package('tokenizers', 'an ONNX model').Tokenizer.from_file(str(path))
    except Exception as error:
        if type(error) is not Exception:  # what the package raises
            raise
        raise BadValue(f'{path}: no tokenizer ({error})') from error


def _load_tokenizer(folder: Path, length: int) -> Any:
    tokenizer = _open_tokenizer(folder)
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # a name of one in a sentence is text
    tokenizer.enable_truncation(length)
    return tokenizer
