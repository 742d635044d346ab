"""Export of both towers as ONNX graphs, with all that an encoder without torch needs.

A folder appears under its name only when it is complete and its features agree with those of torch.
"""

import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import check_writable, durable_folder

from .export_plan import ExportPlan
from .graph_encoder import import_package
from .notices import write_notices
from .onnx_encoder import (
    MANIFEST,
    SCHEMAS,
    TOKENIZER,
    OnnxEncoder,
    sha256_of,
)
from .onnx_graphs import ImageTower, TextTower, export_graphs, quantize_graphs, write_graphs
from .pretrained_export import plan_pretrained

if TYPE_CHECKING:
    from .pretrained_encoder import PretrainedEncoder
    from .torch_encoder import TorchEncoder

__all__ = ['ExistingFolder', 'ImageTower', 'MIN_COSINE', 'TextTower', 'export_encoder',
           'export_graphs', 'in_shape', 'least_cosine', 'quantize_graphs', 'random_captions',
           'random_images', 'steps_to_repeat', 'write_graphs']

#: Least cosine between a feature of torch and the exported one.
MIN_COSINE = dict(fp32=0.99999, int8=0.995)
#: Captions that show another cleaning than the model's own.
ODD_CAPTIONS = ('A  RED_coat, a T-shirt &amp; 2 bags; (blue)!', "a man's “dark-blue” jeans.")
_STEPS = ('LoadImageFromFile', 'Resize', 'TokenizeCaption', 'PackTextImage')
_USER = 'exporting'  # of the packages, for messages


class ExistingFolder(UserError, FileExistsError):
    """A folder that an export would have to overwrite."""


def export_encoder(encoder: 'TorchEncoder | PretrainedEncoder', out_dir: str | os.PathLike,
                   int8: bool = False, images: Sequence[Image.Image] = (),
                   captions: Sequence[str] = ()) -> dict:
    """Write a model as a folder for `OnnxEncoder`.

    Args:
        encoder: A model of ours, or a pretrained one of transformers or open_clip, on any device.
        out_dir: The new folder.
        int8: Also write graphs with 8-bit weights, and make them the folder's default.
        images: Real images to compare on, beside random ones.
        captions: Real captions to compare on.

    Returns:
        The manifest; its ``check`` holds, of each precision and tower, the least cosine to torch.

    Raises:
        ExistingFolder: The folder is there and not empty.
        NotWritable: Nothing can be written there.
        MissingPackage: A package of the extra ``deploy`` is missing; the message names it.
        BadValue: The pipeline or a tower cannot be exported, or the features differ from those of
            torch by more than `MIN_COSINE` allows; the message has the numbers.
    """
    out = Path(out_dir)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistingFolder(f'{out} exists; remove it or name another folder')
    check_writable(out, folder=True)
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
        write_notices(encoder, folder)
        manifest['files'] = {path.name: dict(bytes=path.stat().st_size, sha256=sha256_of(path))
                             for path in sorted(folder.iterdir())}
        _write_manifest(manifest, folder)
        images = in_shape([*random_images(8), *images], plan.shape)
        captions = [*random_captions(folder / TOKENIZER, 8), *ODD_CAPTIONS, *captions]
        manifest['check'] = {
            precision: _compare(encoder, OnnxEncoder(folder, precision, batch_size), images,
                                captions)
            for precision, batch_size in (('fp32', 4), ('int8', 1))[:1 + int8]}
        _write_manifest(manifest, folder)
    return manifest


def random_images(count: int, seed: int = 0) -> list[Image.Image]:
    """Draw pictures of soft random colors, each of another size."""
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (8, 4, 3), np.uint8)).resize(
        tuple(int(side) for side in rng.integers((20, 60), (200, 400))),
        Image.Resampling.BICUBIC) for _ in range(count)]


def in_shape(images: Sequence[Image.Image],
             shape: tuple[int, int] | None) -> Sequence[Image.Image]:
    """Stretch pictures to a shape, each at its own width.

    Args:
        images: Of any size.
        shape: (height, width), of which the quotient counts; None leaves them as they are.

    Example:
        >>> in_shape([Image.new('RGB', (20, 30))], (1000, 400))[0].size
        (20, 50)
    """
    if shape is None:
        return images
    return [image.resize((image.width, round(image.width * shape[0] / shape[1])),
                         Image.Resampling.BICUBIC) for image in images]


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


def _write_manifest(manifest: dict[str, Any], folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + '\n', encoding='utf-8')
