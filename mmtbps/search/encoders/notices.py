"""Notices of licences that go with a model, gathered to travel with what is made of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmtbps.catalog import model_notice
from mmtbps.pretrained import parse_model_name, resolve_pretrained

__all__ = ['NOTICES', 'list_notices', 'notice_files', 'source_folder', 'write_notices']

#: File of the notices in a folder.
NOTICES = 'NOTICE.md'
_BEGINNINGS = ('licen', 'notice', 'copying', 'copyright')


def list_notices(encoder: Any) -> list[tuple[str, str]]:
    """List titles and texts of all that is known of the licences of a model.

    These are the line of the catalog, the files of licences and the card in the folder that the
    model was loaded from, and the licence of its tokenizer. None of them is invented: a model
    without any has an empty list.

    Args:
        encoder: of a model of ours or of another library.
    """
    found = []
    address = getattr(encoder, 'address', None)
    if address and (notice := model_notice(address)):
        found.append(('Weights', notice))
    folder = source_folder(encoder)
    if folder is not None:
        found += [(f'{path.name} of the model', _read(path)) for path in notice_files(folder)]
        # The card of a converted model says whose weights it has.
        card = folder / 'README.md'
        if card.is_file() and 'licen' in _read(card).lower():
            found.append(('Card of the model', _read(card)))
    tokenizer = getattr(getattr(encoder, 'tokenize', None), 'tokenizer', None)
    licence = Path(resolve_pretrained(tokenizer), 'LICENSE') if tokenizer else None
    if licence and licence.is_file():
        found.append(('Licence of the tokenizer', _read(licence)))
    return found


def write_notices(encoder: Any, folder: str | os.PathLike) -> None:
    """Write the notices of a model to a folder, as `NOTICES`; no file where there are none."""
    if found := list_notices(encoder):
        text = '\n\n'.join(f'## {title}\n\n{text.strip()}' for title, text in found)
        Path(folder, NOTICES).write_text(f'# Notices\n\n{text}\n', encoding='utf-8')


def source_folder(encoder: Any) -> Path | None:
    """Return the folder that a model was loaded from; None for a hub, a config, a built model.

    Args:
        encoder: of a model of ours or of another library.
    """
    if address := getattr(encoder, 'address', None):
        folder = Path(parse_model_name(address).name)
        return folder if folder.is_dir() else None
    return getattr(encoder, 'folder', None)


def notice_files(folder: Path) -> Iterator[Path]:
    """Yield the files of licences in a folder."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().startswith(_BEGINNINGS):
            yield path


def _read(file: Path) -> str:
    return file.read_text(encoding='utf-8', errors='replace')
