"""Code blocks of the documentation, for the tests that run them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r'^```(\w*)[^\n]*\n(.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text and the line its text begins on."""

    language: str
    code: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text('utf-8')
    return [Block(match.group(1), match.group(2), text.count('\n', 0, match.start(2)) + 1)
            for match in _BLOCK.finditer(text)]


def file_in(page: Path, name: str) -> str:
    """The block of a page that begins with the comment ``# name``."""
    found = [block.code for block in blocks(page) if block.code.startswith(f'# {name}\n')]
    assert len(found) == 1, f'{page}: {len(found)} blocks begin with "# {name}"'
    return found[0]
