"""ONNX graphs of two towers: written, freed of traces of the machine, quantised to 8 bits.

The image graph takes RGB pixels, ``(N, H, W, 3)`` uint8, and normalises them itself; the text graph
takes ids and mask, ``(N, L)``. Both give unit features.
"""

import contextlib
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue

from .graph_encoder import import_package
from .onnx_encoder import graph_file

__all__ = ['ImageTower', 'TextTower', 'export_graphs', 'quantize_graphs', 'write_graph',
           'write_graphs']

_OPSET = 20
_USER = 'exporting'  # of the packages, for messages


def export_graphs(model: nn.Module, size: tuple[int, int], folder: str | os.PathLike) -> None:
    """Write ``image.onnx`` and ``text.onnx``, of any batch and caption length.

    Args:
        model: A `TextImageRetriever` in evaluation mode.
        size: (height, width) of its images.
        folder: An existing folder.

    Raises:
        MissingPackage: A package of the extra ``deploy`` is missing.
        BadValue: A tower has an operation that ONNX does not have.
    """
    write_graphs(dict(image=ImageTower(model), text=TextTower(model)), size, folder)


def write_graphs(modules: Mapping[str, nn.Module], size: tuple[int, int],
                 folder: str | os.PathLike, text_length: int = 0) -> None:
    """Write the graphs of two towers that give unit features of pixels, and of ids and mask.

    Args:
        modules: ``image`` and ``text``.
        size: (height, width) of the images.
        folder: An existing folder.
        text_length: Tokens that every text is padded to; 0 for any length.

    Raises:
        MissingPackage: A package of the extra ``deploy`` is missing.
        BadValue: A tower has an operation that ONNX does not have.
    """
    device = next(modules['image'].parameters()).device
    batch, length = torch.export.Dim('batch'), torch.export.Dim('length')
    pixels = torch.zeros(2, *size, 3, dtype=torch.uint8, device=device)
    ids = torch.ones(2, text_length or 5, dtype=torch.int64, device=device)
    sizes = {0: batch} if text_length else {0: batch, 1: length}
    inputs_of = dict(image=(dict(images=pixels), dict(images={0: batch})),
                     text=(dict(input_ids=ids, attention_mask=ids.bool()),
                           dict(input_ids=sizes, attention_mask=sizes)))
    for name, (inputs, shapes) in inputs_of.items():
        write_graph(modules[name], inputs, shapes, Path(folder, graph_file(name, 'fp32')),
                    name=name)


def write_graph(tower: nn.Module, inputs: dict[str, Tensor], shapes: dict[str, dict],
                file: str | os.PathLike, output: str = 'features', name: str = '') -> None:
    """Write the graph of one tower.

    Args:
        tower: a module that takes the inputs by name and returns one tensor.
        inputs: examples, of 2 rows.
        shapes: of each input, the dimensions that may be others.
        file: to write.
        output: name of the result.
        name: of the tower, for messages.

    Raises:
        MissingPackage: A package of the extra ``deploy`` is missing.
        BadValue: The tower has an operation that ONNX does not have.
    """
    onnx = import_package('onnx', _USER)
    import_package('onnxscript', _USER)
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                tower.eval(), kwargs=inputs, dynamo=True, opset_version=_OPSET,
                input_names=list(inputs), output_names=[output], dynamic_shapes=shapes,
                verbose=False)
            _fold_weights(program, tower)
    except torch.onnx.OnnxExporterError as error:
        network = getattr(tower, 'model', getattr(tower, 'network', tower))
        network = type(getattr(network, 'network', network)).__name__
        reason = str(error).strip().splitlines()[0].partition('\x1b')[0].strip()
        raise BadValue(f'the {name} tower of {network} cannot be exported: {reason}') from error
    onnx.save(_without_traces(program.model_proto), file)


def _fold_weights(program: torch.onnx.ONNXProgram, tower: nn.Module) -> None:
    """Cut and turn weights in the file; done in every run, they would also escape quantisation."""
    from onnxscript import optimizer
    largest = max(weight.numel() for weight in tower.parameters())
    optimizer.optimize(program.model, input_size_limit=largest, output_size_limit=largest)


def quantize_graphs(folder: str | os.PathLike) -> None:
    """Write ``image.int8.onnx`` and ``text.int8.onnx`` beside the graphs they are made of.

    Weights of matrix products become 8-bit numbers with a scale for each output channel;
    activations are quantised as they come, with one scale a run.

    Args:
        folder: Holds ``image.onnx`` and ``text.onnx``.

    Raises:
        MissingPackage: onnxruntime is missing.
    """
    import_package('onnxruntime', _USER)
    from onnxruntime.quantization import QuantType, quantize_dynamic
    for tower in ('image', 'text'):
        with _quiet():
            quantize_dynamic(
                Path(folder, graph_file(tower, 'fp32')), Path(folder, graph_file(tower, 'int8')),
                op_types_to_quantize=['MatMul', 'Gemm'], per_channel=True,
                weight_type=QuantType.QInt8)


class ImageTower(nn.Module):
    """Image tower with its normalisation: pixels ``(N, H, W, 3)`` to unit features ``(N, D)``.

    Args:
        model: A `TextImageRetriever`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Encode RGB pixels, uint8."""
        preprocessor = self.model.data_preprocessor
        pixels = images.permute(0, 3, 1, 2).float()
        if not preprocessor.to_rgb:  # then the model was trained on the loader's BGR
            pixels = pixels.flip(1)
        return self.model.encode_image((pixels - preprocessor.mean) / preprocessor.std)


class TextTower(nn.Module):
    """Text tower: ids and mask ``(N, L)`` to unit features ``(N, D)``.

    Args:
        model: A `TextImageRetriever`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids, int64, with their bool mask."""
        return self.model.encode_text(input_ids, attention_mask)


def _without_traces(graph: Any) -> Any:
    """Clear the exporter's notes: source lines and paths of the machine it ran on."""
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info,
                 *graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del part.metadata_props[:]
        part.ClearField('doc_string')
    return graph


@contextlib.contextmanager
def _quiet():
    """Silence the exporters' logs and warnings; errors are still raised."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(logging.NOTSET)
