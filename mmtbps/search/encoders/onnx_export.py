"""Export of both towers as ONNX graphs, with all that an encoder without torch needs.

The image graph takes RGB pixels, ``(N, H, W, 3)`` uint8, and normalises them itself; the text graph
takes ids and mask, ``(N, L)``. Both give unit features. A folder appears under its name only when
it is complete and its features agree with those of torch.
"""

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import durable_folder

from .onnx_encoder import (
    MANIFEST,
    SCHEMAS,
    TOKENIZER,
    OnnxEncoder,
    graph_file,
    import_package,
    sha256_of,
)
from .pretrained_export import ExportPlan, plan_pretrained

if TYPE_CHECKING:
    from .pretrained_encoder import PretrainedEncoder
    from .torch_encoder import TorchEncoder

__all__ = ['ExistingFolder', 'ImageTower', 'MIN_COSINE', 'TextTower', 'export_encoder',
           'export_graphs', 'least_cosine', 'quantize_graphs', 'random_captions', 'random_images',
           'steps_to_repeat', 'write_graphs']

#: Least cosine between a feature of torch and the exported one.
MIN_COSINE = dict(fp32=0.99999, int8=0.995)
_OPSET = 20
_STEPS = ('LoadImageFromFile', 'Resize', 'TokenizeCaption', 'PackTextImage')
_USER = 'exporting'  # of the packages, for messages


class ExistingFolder(UserError, FileExistsError):
    """A folder that an export would have to overwrite."""


def export_encoder(encoder: 'TorchEncoder | PretrainedEncoder', out_dir: str | os.PathLike,
                   int8: bool = False, images: Sequence[Image.Image] = (),
                   captions: Sequence[str] = ()) -> dict:
    """Write a model as a folder for `OnnxEncoder`.

    Args:
        encoder: A model of ours, or a pretrained one of transformers, on any device.
        out_dir: The new folder.
        int8: Also write graphs with 8-bit weights, and make them the folder's default.
        images: Real images to compare on, beside random ones.
        captions: Real captions to compare on.

    Returns:
        The manifest; its ``check`` holds, of each precision and tower, the least cosine to torch.

    Raises:
        ExistingFolder: The folder is there and not empty.
        MissingPackage: A package of the extra ``deploy`` is missing; the message names it.
        BadValue: The pipeline or a tower cannot be exported, or the features differ from those of
            torch by more than `MIN_COSINE` allows; the message has the numbers.
    """
    out = Path(out_dir)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistingFolder(f'{out} exists; remove it or name another folder')
    pretrained = not hasattr(encoder, 'steps')
    plan = plan_pretrained(encoder) if pretrained else _plan(encoder)
    manifest = _describe(encoder, plan, 'int8' if int8 else 'fp32', SCHEMAS[pretrained])
    with durable_folder(out) as folder:
        (folder / TOKENIZER).write_text(plan.tokenizer, encoding='utf-8')
        if pretrained:
            write_graphs(plan.towers, plan.image['size'], folder, plan.text['min_length'])
        else:
            export_graphs(encoder.model, plan.image['size'], folder)
        if int8:
            quantize_graphs(folder)
        manifest['files'] = {path.name: dict(bytes=path.stat().st_size, sha256=sha256_of(path))
                             for path in sorted(folder.iterdir())}
        _write_manifest(manifest, folder)
        images = [*random_images(8), *images]
        captions = [*random_captions(folder / TOKENIZER, 8), *captions]
        manifest['check'] = {
            precision: _compare(encoder, OnnxEncoder(folder, precision, batch_size), images,
                                captions)
            for precision, batch_size in (('fp32', 4), ('int8', 1))[:1 + int8]}
        _write_manifest(manifest, folder)
    return manifest


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
    onnx = import_package('onnx', _USER)
    import_package('onnxscript', _USER)
    device = next(modules['image'].parameters()).device
    batch, length = torch.export.Dim('batch'), torch.export.Dim('length')
    pixels = torch.zeros(2, *size, 3, dtype=torch.uint8, device=device)
    ids = torch.ones(2, text_length or 5, dtype=torch.int64, device=device)
    sizes = {0: batch} if text_length else {0: batch, 1: length}
    inputs_of = dict(image=(dict(images=pixels), dict(images={0: batch})),
                     text=(dict(input_ids=ids, attention_mask=ids.bool()),
                           dict(input_ids=sizes, attention_mask=sizes)))
    for name, (inputs, shapes) in inputs_of.items():
        tower = modules[name]
        try:
            with torch.no_grad(), _quiet():
                program = torch.onnx.export(
                    tower.eval(), kwargs=inputs, dynamo=True, opset_version=_OPSET,
                    input_names=list(inputs), output_names=['features'], dynamic_shapes=shapes,
                    verbose=False)
                _fold_weights(program, tower)
        except torch.onnx.OnnxExporterError as error:
            network = type(getattr(tower, 'model', tower)).__name__
            raise BadValue(f'the {name} tower of {network} cannot be exported: '
                           f'{str(error).strip().splitlines()[0]}') from error
        onnx.save(_without_traces(program.model_proto), Path(folder, graph_file(name, 'fp32')))


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


def random_images(count: int, seed: int = 0) -> list[Image.Image]:
    """Draw pictures of soft random colors, each of another size."""
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (8, 4, 3), np.uint8)).resize(
        tuple(int(side) for side in rng.integers((20, 60), (200, 400))),
        Image.Resampling.BICUBIC) for _ in range(count)]


def random_captions(tokenizer: str | os.PathLike, count: int, seed: int = 0) -> list[str]:
    """Draw captions of 1 to 100 random words of a tokenizer's vocabulary; the last are too long.

    Args:
        tokenizer: Path of its ``tokenizer.json``.
        count: Number of captions.
        seed: Of the words.
    """
    rng = np.random.default_rng(seed)
    vocabulary = import_package('tokenizers', _USER).Tokenizer.from_file(str(tokenizer)).get_vocab()
    words = sorted({word.removesuffix('</w>') for word in vocabulary
                    if word.removesuffix('</w>').isalpha()})
    # Bytes of other letters, in a vocabulary of bytes, are no words.
    words = [word for word in words if word.isascii()] or words
    return [' '.join(rng.choice(words, length))
            for length in np.linspace(1, 100, count).astype(int)]


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


def _describe(encoder: Any, plan: ExportPlan, precision: str, schema: str) -> dict[str, Any]:
    """Build the manifest, still without files and cosines."""
    packages = 'torch', 'onnx', 'onnxruntime'
    for name in packages:
        import_package(name, _USER)
    return dict(
        schema=schema, precision=precision, dim=encoder.dim, fingerprint=encoder.fingerprint,
        former_fingerprints=list(getattr(encoder, 'former_fingerprints', ())),
        image=plan.image, text=plan.text, **(dict(score=plan.score) if plan.score else {}),
        made_with={name: version(name) for name in packages})


def _plan(encoder: 'TorchEncoder') -> ExportPlan:
    """Plan the export of a model of ours."""
    resize, tokenize = steps_to_repeat(encoder.steps)
    preprocessor = encoder.model.data_preprocessor
    mean, std = (values.flatten().tolist() for values in (preprocessor.mean, preprocessor.std))
    step = 1 if preprocessor.to_rgb else -1
    return ExportPlan(
        image=dict(size=list(resize.scale[::-1]), channels='rgb', resize=resize.interpolation,
                   mean=mean[::step], std=std[::step]),
        text=dict(max_length=tokenize.max_length, pad_token_id=preprocessor.pad_token_id,
                  min_length=preprocessor.min_length,
                  **(dict(clean=tokenize.clean) if tokenize.clean else {})),
        score=None, tokenizer=tokenize.tokenizer_state(), towers={})


def steps_to_repeat(steps: Sequence[BaseTransform]) -> tuple[BaseTransform, BaseTransform]:
    """Return ``Resize`` and ``TokenizeCaption`` of a pipeline that works without MMCV, too.

    Args:
        steps: All steps of the test pipeline.

    Raises:
        BadValue: It has a step, or an option of a step, that gives other pixels than Pillow's
            ``resize``. OpenCV's interpolation does: between it and Pillow's lie whole gray levels.

    Example:
        >>> from mmcv.transforms import RandomFlip
        >>> steps_to_repeat([RandomFlip(prob=0.5)])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        mmtbps.errors.BadValue: the test pipeline has RandomFlip, which an exported ...
    """
    named = {type(step).__name__: step for step in steps}
    strange = [name for name in named if name not in _STEPS]
    if strange:
        raise BadValue(f'the test pipeline has {", ".join(strange)}, which an exported model '
                       f'cannot repeat; it knows {", ".join(_STEPS)}')
    resize, tokenize = named.get('Resize'), named.get('TokenizeCaption')
    if resize is None or tokenize is None:
        raise BadValue('the test pipeline needs Resize and TokenizeCaption to be exported')
    if resize.backend != 'pillow' or resize.keep_ratio or not resize.scale:
        raise BadValue(
            f'Resize(scale={resize.scale}, keep_ratio={resize.keep_ratio}, '
            f'backend={resize.backend!r}) cannot be repeated without MMCV; an exported model needs '
            "a fixed scale and backend='pillow'. A model trained on the pixels of cv2 should be "
            'tested with backend=\'pillow\' before it is exported that way')
    return resize, tokenize


def _compare(encoder: 'TorchEncoder', exported: OnnxEncoder, images: Sequence[Image.Image],
             captions: Sequence[str]) -> dict[str, float]:
    """Compute the least cosine of each tower and refuse one that is too low."""
    cosines = dict(
        images=least_cosine(encoder.encode_images(images), exported.encode_images(images)),
        captions=least_cosine(encoder.encode_texts(captions), exported.encode_texts(captions)))
    limit = MIN_COSINE[exported.precision]
    if min(cosines.values()) < limit:
        got = ', '.join(f'{value:.6f} of {name}' for name, value in cosines.items())
        raise BadValue(f'{exported.precision}: the least cosine to torch is {got}, and {limit} is '
                       'asked for; nothing was written')
    return cosines


def least_cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Compute the least cosine between rows of two ``(N, D)`` arrays.

    Example:
        >>> least_cosine(np.array([[1., 0.], [1., 1.]]), np.array([[2., 0.], [1., 0.]]))
        0.7071068
    """
    products = np.einsum('nd,nd->n', ours.astype(np.float64), theirs)
    lengths = np.linalg.norm(ours.astype(np.float64), axis=1) * np.linalg.norm(theirs, axis=1)
    return round(min(1.0, float((products / lengths).min())), 7)


def _without_traces(graph: Any) -> Any:
    """Clear the exporter's notes: source lines and paths of the machine it ran on."""
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info,
                 *graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del part.metadata_props[:]
        part.ClearField('doc_string')
    return graph


def _write_manifest(manifest: dict[str, Any], folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + '\n', encoding='utf-8')


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
