"""Base of encoders of two ONNX graphs, which run without torch and without MMEngine."""

import os
import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.fileio import why_no_file
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary

from .base import check_images, check_texts, encode_in_batches

__all__ = ['GraphEncoder', 'average_prompts', 'import_package', 'open_graph']

_FATAL = 4  # of the levels of ONNX Runtime's log


class GraphEncoder:
    """Base of an encoder of two graphs: batches, prompts, and what is cut off a sentence.

    A subclass fills in ``shape_image``, ``clean_text``, ``run_images`` and ``run_texts``.

    Args:
        tokenizer: A ``tokenizers.Tokenizer`` that truncates and does not pad.
        prompts: Templates with one ``{}``, whose features are averaged.
        batch_size: Inputs of one run of a graph.

    Attributes:
        dim: Length of a feature; a subclass sets it.
    """

    dim: int

    def __init__(self, tokenizer: Any, prompts: Sequence[str], batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.tokenizer, self.prompts, self.batch_size = tokenizer, tuple(prompts), batch_size

    # ------------------------------------------------------------------ a subclass has these
    @abstractmethod
    def shape_image(self, image: Image.Image) -> Image.Image:
        """Bring an RGB picture of any size to the size of the graph's input."""

    @abstractmethod
    def clean_text(self, text: str) -> str:
        """Clean a sentence, before it is split into tokens."""

    @abstractmethod
    def run_images(self, pixels: np.ndarray) -> np.ndarray:
        """Turn RGB pixels ``(N, H, W, 3)``, uint8, into ``(N, dim)`` unit features."""

    @abstractmethod
    def run_texts(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Turn N rows of token ids into ``(N, dim)`` unit features."""

    # ------------------------------------------------------------------ all have these
    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode images of any size into ``(N, dim)`` float32 unit features.

        Raises:
            TypeError: One of them is no PIL image.
        """
        check_images(images)
        return encode_in_batches(images, self._run_pictures, self.batch_size, self.dim)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, dim)`` float32 unit features.

        Words beyond the model's length are cut off.

        Raises:
            BadValue: A sentence is empty.
            TypeError: One is no string.
        """
        check_texts(texts)
        features = encode_in_batches(self._asked(texts), self._run_asked, self.batch_size, self.dim)
        return average_prompts(features, len(self.prompts))

    def cut(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """List the sentences that are longer than the model reads, with the part that it reads."""
        found = []
        for text in texts:
            asked = self._asked([text])
            long = [(words, words[:max(last for _, last in encoding.offsets)]) for words, encoding
                    in zip(asked, self.tokenizer.encode_batch(asked), strict=True)
                    if encoding.overflowing]
            found += long[:1]  # of several prompts the first
        return found

    @cached_property
    def vocabulary(self) -> TokenizerVocabulary:
        """The words that the tokenizer knows."""
        return TokenizerVocabulary(self.tokenizer, self.clean_text)

    def _asked(self, texts: Sequence[str]) -> list[str]:
        """Put every text into every prompt, cleaned as the model reads it."""
        return [self.clean_text(prompt.replace('{}', text, 1))
                for text in texts for prompt in self.prompts]

    def _run_pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        return self.run_images(np.stack([
            np.asarray(self.shape_image(image.convert('RGB'))) for image in images]))

    def _run_asked(self, texts: Sequence[str]) -> np.ndarray:
        return self.run_texts([encoding.ids for encoding
                               in self.tokenizer.encode_batch(list(texts))])


def open_graph(path: str | os.PathLike, threads: int | None = None):
    """Open a graph, ready to run on the CPU.

    Weights beside the graph are read from its folder and from nowhere else.

    Args:
        path: An ``.onnx`` file.
        threads: Of one run; by default one for each core.

    Raises:
        MissingPackage: onnxruntime is missing.
        BadValue: It is damaged, no graph, or its weights lie outside its folder.
    """
    onnxruntime = import_package('onnxruntime', 'an ONNX model')
    if reason := why_no_file(path):
        raise BadValue(f'{path}: {reason}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = _FATAL  # what it cannot open is raised, and said once
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    except Exception as error:
        if not type(error).__module__.startswith('onnxruntime.'):
            raise
        reason = re.sub(r'\[ONNXRuntimeError\] : \d+ : \w+ : ', '', str(error))
        reason = ' '.join(reason.split())[:300]
        raise BadValue(f'{path}: no graph that ONNX Runtime opens ({reason})') from error


def average_prompts(features: np.ndarray, count: int) -> np.ndarray:
    """Average the unit features of ``count`` prompts of each text, and bring them to length 1.

    Example:
        >>> average_prompts(np.eye(2), 2).round(4).tolist()
        [[0.7071, 0.7071]]
    """
    if count == 1:
        return features
    mean = features.reshape(-1, count, features.shape[-1]).mean(1)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def import_package(name: str, user: str):
    """Import a package of the extra ``deploy``.

    Args:
        name: Of the package.
        user: Who needs it, for the message.

    Raises:
        MissingPackage: It is not installed; the message names the extra.

    Example:
        >>> import_package('json', 'OnnxEncoder').dumps([1])
        '[1]'
    """
    try:
        return __import__(name)
    except ImportError as error:
        raise MissingPackage(f'{user} needs {name}: pip install "mmtbps[deploy]"') from error
