"""Graphs beside a folder of transformers, by which Transformers.js runs its two towers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue

from ..graph_encoder import import_package
from ..onnx_graphs import write_graph
from .comparison import LibraryEncoder

__all__ = ['CLASSES', 'GRAPHS', 'JavascriptGraphs']

#: Classes of Transformers.js that run the image and the text tower, by ``model_type``.
CLASSES = dict(clip=('CLIPVisionModelWithProjection', 'CLIPTextModelWithProjection'),
               siglip=('SiglipVisionModel', 'SiglipTextModel'))
#: Files of the towers, where Transformers.js looks for them.
GRAPHS = dict(image='onnx/vision_model.onnx', text='onnx/text_model.onnx')


class _Pixels(nn.Module):
    """Image tower of a model of transformers, for pictures of one size."""

    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        super().__init__()
        self.network, self.options = network, options

    def forward(self, pixel_values: Tensor) -> Tensor:
        return _pooled(self.network.get_image_features(pixel_values=pixel_values, **self.options))


class _Words(nn.Module):
    """Text tower of a model of transformers.

    Transformers.js cuts a long text behind its words, the end token with it: the last place that is
    read gets that token again.
    """

    def __init__(self, network: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.network, self.places = network, tokenizer.model_max_length
        self.end, self.pad = tokenizer.eos_token_id, tokenizer.pad_token_id

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        last = torch.arange(input_ids.shape[1]) == self.places - 1
        ids = torch.where(last & (input_ids != self.pad), self.end, input_ids)
        mask = {} if attention_mask is None else dict(attention_mask=attention_mask)
        return _pooled(self.network.get_text_features(input_ids=ids, **mask))


class JavascriptGraphs:
    """Graphs of a folder of transformers, written, and run by ONNX Runtime.

    The positions of pictures that are no squares are fixed in them.

    Args:
        folder: of transformers.
        library: the model that it holds.

    Raises:
        MissingPackage: A package of the extra ``deploy`` is missing.
        BadValue: Transformers.js has no class for the model, or a tower has an operation that ONNX
            does not have.
    """

    def __init__(self, folder: Path, library: LibraryEncoder) -> None:
        kind = library.network.config.model_type
        if kind not in CLASSES:
            raise BadValue(f'{kind}: no class of Transformers.js runs its towers apart; of '
                           f'{" and ".join(CLASSES)} it has some')
        self.library = library
        (folder / 'onnx').mkdir()
        batch, length = torch.export.Dim('batch'), torch.export.Dim('length')
        sizes = {0: batch} if library.padding == 'max_length' else {0: batch, 1: length}
        pixels = library.process_images([Image.new('RGB', (9, 9))] * 2)
        words = library.process_texts(['a man', 'a woman'])
        write_graph(_Pixels(library.network, library.options), pixels,
                    dict(pixel_values={0: batch}), folder / GRAPHS['image'], 'image_embeds',
                    'image')
        write_graph(_Words(library.network, library.processor.tokenizer), words,
                    dict.fromkeys(words, sizes), folder / GRAPHS['text'], 'text_embeds', 'text')
        runtime = import_package('onnxruntime', 'exporting')
        self.sessions = {side: runtime.InferenceSession(
            folder / file, providers=['CPUExecutionProvider']) for side, file in GRAPHS.items()}

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode pictures into ``(N, D)`` unit features."""
        return self._run('image', self.library.process_images(images))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, D)`` unit features."""
        return self._run('text', self.library.process_texts(texts))

    def _run(self, side: str, inputs: dict[str, Tensor]) -> np.ndarray:
        features, = self.sessions[side].run(
            None, {name: values.numpy() for name, values in inputs.items()})
        return features / np.linalg.norm(features, axis=1, keepdims=True)


def _pooled(output: Any) -> Tensor:
    return output if torch.is_tensor(output) else output.pooler_output
