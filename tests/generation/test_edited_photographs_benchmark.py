"""The sheet of edited photographs shows what was edited, and what the gates said of it."""

from dataclasses import replace
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from benchmarks.edited_photographs import (
    PHOTOGRAPHS,
    Photograph,
    draw_strip,
    draw_wheel,
    make_request,
    open_photograph,
    stack,
    try_both,
)
from PIL import Image

from mmtbps.errors import MissingFile
from mmtbps.generation.evidence import EditEvidence


def test_photographs_are_asked_for_one_garment_each():
    for caption, color in (asked for photograph in PHOTOGRAPHS for asked in photograph.asked):
        request = make_request(Image.new('RGB', (8, 24)), caption, color)
        old = request.source_caption[slice(*request.source_span)]
        assert request.target_caption == caption.replace(old, color) != caption
        assert request.target_caption[slice(*request.target_phrase_span)] == (
            f'{color} {request.noun}')
        below = caption.endswith(('shorts', 'pants'))
        assert (request.old_color, request.region) == (old, 'lower' if below else 'upper')


def test_a_wheel_is_a_coat_only_without_evidence():
    image = draw_wheel()
    nobody = np.zeros(image.size[::-1], bool)
    evidence = EditEvidence(person=nobody, parts=np.zeros(nobody.shape, np.uint8))
    request = replace(make_request(image, 'a man in a black coat', 'red'), evidence=evidence)
    images, said = try_both(request)
    assert said['without evidence'].startswith('pixels accepted; place refused (place')
    assert said['with evidence'] == 'nothing edited'
    assert images[0] == images[2] != images[1]


def test_photographs_come_from_a_wheel(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (600, 40, 3), np.uint8)
    content = BytesIO()
    Image.fromarray(picture).save(content, 'PNG')
    with ZipFile(tmp_path / 'pictures-1.0-py3-none-any.whl', 'w') as archive:
        archive.writestr('pictures/one.png', content.getvalue())
    photograph = Photograph('pictures', 'pictures/one.png', 'noise', (), box=(10, 20, 30, 80))
    taken = open_photograph(photograph, tmp_path)
    assert np.array_equal(np.asarray(taken), picture[20:80, 10:30])
    assert max(open_photograph(photograph._replace(box=None), tmp_path).size) == 512
    with pytest.raises(MissingFile, match='no wheel of paintings, which ships noise'):
        open_photograph(photograph._replace(wheel='paintings'), tmp_path)


def test_a_sheet_holds_every_strip():
    colors = ['red', 'green', 'blue']
    strips = [draw_strip([Image.new('RGB', (20, 30), color)] * 3, ['asked', 'said'])
              for color in colors]
    pixels = np.asarray(stack(strips)).reshape(-1, 3)
    shown = [(pixels == Image.new('RGB', (1, 1), color).getpixel((0, 0))).all(1).sum()
             for color in colors]
    assert shown[0] == shown[1] == shown[2] > 0
