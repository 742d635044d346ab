"""Export of a model as a folder of transformers and the libraries around it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, durable_folder

from ..model_card import card_facts, stated_licence
from ..notices import write_notices
from ..onnx_export import ODD_CAPTIONS, ExistingFolder, random_captions, random_images
from .comparison import LibraryEncoder, largest_difference
from .formats import FORMATS
from .javascript_graphs import JavascriptGraphs
from .parts import plan_parts
from .sentence_transformers_files import write_sentence_transformers_files
from .usage_card import word_card

if TYPE_CHECKING:
    from ..pretrained_encoder import PretrainedEncoder
    from ..torch_encoder import TorchEncoder

__all__ = ['MAX_DIFFERENCE', 'export_hub_folder']

#: Largest length of the difference of two unit features.
MAX_DIFFERENCE = 1e-4


def export_hub_folder(encoder: 'TorchEncoder | PretrainedEncoder', out_dir: str | os.PathLike,
                      format: str = 'transformers', images: Sequence[Image.Image] = (),
                      captions: Sequence[str] = ()) -> dict[str, Any]:
    """Write a model as a folder that another library loads without any code of ours.

    Args:
        encoder: a model of ours, or a pretrained one of transformers, on any device.
        out_dir: the new folder.
        format: one of `FORMATS`.
        images: real images to compare on, beside random ones.
        captions: real captions to compare on.

    Returns:
        ``files`` with their ``bytes``, ``check`` with the largest difference of ``images`` and
        ``captions``, and ``resized_positions``, see `FolderParts`.

    Raises:
        ExistingFolder: the folder is there and not empty.
        NotWritable: nothing can be written there.
        BadValue: the library has no class for the model, or gives other features; the message says
            why.
    """
    if format not in FORMATS:
        raise ValueError(f'format must be one of {FORMATS}, got {format!r}')
    out = Path(out_dir)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistingFolder(f'{out} exists; remove it or name another folder')
    check_writable(out, folder=True)
    parts = plan_parts(encoder)
    with durable_folder(out) as folder:
        parts.write(folder)
        if format == 'sentence-transformers':
            write_sentence_transformers_files(folder, parts.padding, parts.max_tokens,
                                              parts.resized_positions)
        captions = [*random_captions(folder / 'tokenizer.json', 8), *ODD_CAPTIONS, *captions]
        library = LibraryEncoder(folder, parts.padding, parts.resized_positions)
        images = [*random_images(8), *images]
        check = _compare(encoder, library, images, captions, 'transformers')
        if format == 'transformers.js':
            check = _compare(encoder, JavascriptGraphs(folder, library), images, captions, 'ONNX')
        write_notices(encoder, folder)
        (folder / 'README.md').write_text(word_card(
            format, parts, check, card_facts(encoder), stated_licence(encoder)), encoding='utf-8')
        files = {path.relative_to(folder).as_posix(): dict(bytes=path.stat().st_size)
                 for path in sorted(folder.rglob('*')) if path.is_file()}
    return dict(files=files, check=check, resized_positions=parts.resized_positions)


def _compare(encoder: Any, library: LibraryEncoder | JavascriptGraphs,
             images: Sequence[Image.Image], captions: Sequence[str],
             name: str) -> dict[str, float]:
    """Compute the largest difference of each tower, and refuse one that is too large."""
    check = dict(
        images=largest_difference(encoder.encode_images(images), library.encode_images(images)),
        captions=largest_difference(encoder.encode_texts(captions),
                                    library.encode_texts(captions)))
    if not max(check.values()) <= MAX_DIFFERENCE:
        got = ', '.join(f'{value:.2g} of {name}' for name, value in check.items())
        raise BadValue(f'{name} gives other features: the largest difference is {got}, and '
                       f'{MAX_DIFFERENCE:g} is allowed; nothing was written')
    return check
