"""Pictures of the documentation: the package layout as written and readable; the gallery."""

import importlib.util
import re
from xml.etree import ElementTree

import pytest
from doc_blocks import ROOT

IMAGES = ROOT / 'docs/images'
CONTRIBUTING = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
GROUNDS = dict(text='ground row chip inner', note='ground row')  # what each may stand on


@pytest.fixture(scope='module')
def drawing():
    """The module that draws the package layout."""
    spec = importlib.util.spec_from_file_location('draw_architecture',
                                                  ROOT / 'docs/draw_architecture.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_that_of_the_layout_as_it_is(drawing):
    picture = drawing.PICTURE.read_text('utf-8')
    assert picture == drawing.draw(CONTRIBUTING), 'run python docs/draw_architecture.py'


def test_it_names_every_layer_and_sub_package(drawing):
    layers, parts = drawing.read_layout(CONTRIBUTING)
    assert layers[0] == (['tools/', 'configs/', 'projects/', 'tests/', 'docs/'],
                         'nobody imports them')
    assert [name for name, _ in parts] == ['models', 'search', 'generation', 'commands']
    texts = [node.text for node in ElementTree.fromstring(drawing.draw(CONTRIBUTING)).iter()
             if node.tag.endswith('}text')]
    named = [name for names, note in layers for name in (*names, note)]
    named += [word.replace('<-', '\u2190') for name, inner in parts for word in (name, *inner)]
    assert sorted(texts) == sorted([*named, 'Imports only run down',
                                    'Inside the four large parts, only to the left'])


def test_nothing_of_it_lies_outside_or_on_something_else(drawing):
    """The longest row of the layout is the widest; a longer one would run into its note."""
    layers, _ = drawing.read_layout(CONTRIBUTING)
    for names, note in layers:
        chips = sum(len(name) * drawing._LETTER + 18 for name in names)
        assert drawing._LEFT + chips + len(note) * drawing._LETTER < drawing._WIDTH - 24


def luminance(color):
    """Relative luminance of WCAG 2."""
    parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
              for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize('mode', ['light', 'dark'])
def test_its_letters_stand_out_from_their_ground(mode, drawing):
    style = drawing._STYLE.partition('@media')[2 if mode == 'dark' else 0]
    fills = dict(re.findall(r'\.?(\w+) \{ fill: (#\w{6})', style))
    for letters, grounds in GROUNDS.items():
        for ground in grounds.split():
            low, high = sorted(luminance(fills[name]) for name in (letters, ground))
            assert (high + 0.05) / (low + 0.05) > 4.5, (letters, ground)


def test_the_gallery_shows_every_picture():
    text = (ROOT / 'docs/gallery.md').read_text('utf-8')
    shown = re.findall(r'!\[[^\]]{20,}\]\(images/([^)]+)\)', text)  # each with words for it
    there = [path.name for path in IMAGES.iterdir() if path.suffix in ('.png', '.jpg', '.svg')]
    assert sorted(shown) == sorted(there)
