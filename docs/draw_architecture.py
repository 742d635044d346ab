"""Draw the package layout of CONTRIBUTING.md: ``python docs/draw_architecture.py``."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / 'docs/images/architecture.svg'
_WIDTH, _ROW, _CHIP, _LEFT, _LETTER = 1120, 44, 28, 96, 7.9
# It has a ground of its own: an <img> follows the system's colours, not those of the page.
_STYLE = '''
  .ground { fill: #ffffff } .row { fill: #eef2f7 } .chip { fill: #ffffff; stroke: #5b7083 }
  .inner { fill: #e3f1ea; stroke: #3f7d5f } text { fill: #14212e; font: 13px monospace }
  .note { fill: #46586a } .title { font: bold 16px sans-serif } .line { stroke: #46586a }
  .head { fill: #46586a }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #10161d } .row { fill: #1b2530 } .chip { fill: #10161d; stroke: #8fa3b5 }
    .inner { fill: #14281f; stroke: #6fbf97 } text { fill: #eef3f8 }
    .note { fill: #b4c3d1 } .line { stroke: #b4c3d1 } .head { fill: #b4c3d1 }
  }'''


def read_layout(text: str) -> tuple[list[tuple[list[str], str]], list[tuple[str, list[str]]]]:
    """Read the two listings of the package layout.

    Args:
        text: of CONTRIBUTING.md.

    Returns:
        Layers from top to bottom, each with its names and a note; the large parts, each with its
        sub-packages and ``<-`` between those that import only to the left.
    """
    layers, parts = re.findall(r'^ +```\n(.*?)^ +```$', text.partition('<!-- layers -->')[2],
                               re.MULTILINE | re.DOTALL)[:2]
    split = [re.split(' {2,}', line.strip()) for line in layers.splitlines()]
    inner = [line.split() for line in parts.splitlines()]
    return ([(names.split(), note) for names, note in split],
            [(name, names) for name, *names in inner])


def draw(text: str) -> str:
    """Draw the layout as SVG.

    Args:
        text: of CONTRIBUTING.md.
    """
    layers, parts = read_layout(text)
    top, shapes = 60, list(_title('Imports only run down', 30))
    for names, note in layers:
        shapes += [_rect('row', _LEFT - 12, top, _WIDTH - _LEFT, _ROW - 6),
                   *_chips('chip', names, _LEFT, top + 5),
                   _text('note', _WIDTH - 24, top + 24, note, ' text-anchor="end"')]
        top += _ROW
    shapes += [f'<line class="line" x1="48" x2="48" y1="62" y2="{top - 22}" stroke-width="3"/>',
               f'<path class="head" d="M38 {top - 24}h20l-10 16z"/>']
    shapes += _title('Inside the four large parts, only to the left', top + 28)
    top += 48
    for name, names in parts:
        shapes += [_text('', 24, top + 24, name), *_chips('inner', names, _LEFT + 20, top + 5)]
        top += _ROW
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 8}" '
            f'role="img" aria-label="Package layout of mmtbps">\n<style>{_STYLE}\n</style>\n'
            + _rect('ground', 0, 0, _WIDTH, top + 8) + '\n' + '\n'.join(shapes) + '\n</svg>\n')


def _title(text: str, y: int) -> Iterator[str]:
    yield _text('title', 24, y, text)


def _chips(style: str, names: list[str], x: float, y: int) -> Iterator[str]:
    """Yield a frame around each name, and an arrow for each ``<-``."""
    for name in names:
        width = len(name) * _LETTER + 12
        if name == '<-':
            yield _text('note', x + 2, y + 19, '\u2190')
            x += 24
            continue
        yield _rect(style, x, y, round(width, 1), _CHIP)
        yield _text('', x + 6, y + 19, name)
        x += round(width + 6, 1)


def _rect(style: str, x: float, y: float, width: float, height: float) -> str:
    return (f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            'rx="5"/>')


def _text(style: str, x: float, y: float, text: str, more: str = '') -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'


if __name__ == '__main__':
    PICTURE.write_text(draw((ROOT / 'CONTRIBUTING.md').read_text('utf-8')), encoding='utf-8')
