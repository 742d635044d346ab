"""New captions out of a file that somebody, or another program, wrote."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmtbps.errors import MissingFile
from mmtbps.fileio import iter_json_lines
from mmtbps.records import Entry, RecordError, image_name
from mmtbps.registry import TASK_UTILS

from .base import CaptionRewriter, RetellRequest

__all__ = ['RecordedRewriter']


@TASK_UTILS.register_module()
class RecordedRewriter(CaptionRewriter):
    """Rewriter that reads the captions from a file, a JSON line an image.

    A line holds ``image``, as the annotation file names it, and ``captions``, a list of strings. A
    line with ``change`` answers requests with that very change, one without it those without. Two
    lines of an image and a change have the captions of both.

    Args:
        file: JSON lines.

    Raises:
        MissingFile: If it is not there.
        RecordError: Naming file and line of what cannot be read.
    """

    tells_changes = True

    def __init__(self, file: str | os.PathLike) -> None:
        if not os.path.isfile(file):
            raise MissingFile(f'{file} not found: recorded captions are read from it')
        self._digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        self._captions: dict[tuple[str, str], list[str]] = {}
        for number, raw in iter_json_lines(file):
            entry = Entry(raw, f'{file}:{number}')
            captions = entry.take('captions', list)
            if not all(isinstance(caption, str) for caption in captions):
                raise RecordError(f'{file}:{number}: captions must be strings')
            image = image_name(entry.take('image', str), f'{file}:{number}', allow_outside=True)
            key = image, entry.take_or_none('change', str) or ''
            self._captions.setdefault(key, []).extend(captions)

    @property
    def digest_fields(self) -> dict[str, Any]:
        return dict(type=type(self).__name__, sha256=self._digest)

    def rewrite(self, requests: Sequence[RetellRequest]) -> list[list[str]]:
        names = [image_name(request.name, allow_outside=True) for request in requests]
        return [list(self._captions.get((name, request.change), []))
                for name, request in zip(names, requests, strict=True)]
