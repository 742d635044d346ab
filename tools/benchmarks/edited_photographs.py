"""Edited photographs, one by one: what `RecolorEditor` makes without evidence and with it.

Photographs in the public domain or under CC BY that ship inside packages; the last two show nobody,
so that nothing may be edited. Evidence is by MediaPipe's models, which never saw the editor: fetch
them as docs/guides/evidence.md says. A contact sheet is written beside the JSON file. No share is
computed: so few pictures say nothing of others.
"""

import argparse
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from mmtbps.errors import MissingPackage
from mmtbps.generation import EditRequest, EditResult, RecolorEditor
from mmtbps.generation.evidence import MediaPipePersonProvider, MediaPipePoseProvider
from mmtbps.generation.quality import (
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    PlaceGate,
    PreserveGate,
    SanityGate,
    run_gates,
)
from mmtbps.lexicon import find_color_mentions
from mmtbps.visualization.fonts import font_for

_HEIGHT, _LINE, _GAP = 224, 15, 8    # of the sheet, in pixels


class Photograph(NamedTuple):
    """File of a package, and what of it is asked for: caption and new colour."""

    package: str
    file: str
    credit: str
    asked: tuple[tuple[str, str], ...]


PHOTOGRAPHS = (
    Photograph('matplotlib', 'mpl-data/sample_data/grace_hopper.jpg',
               'Grace Hopper, United States Navy, public domain, in matplotlib',
               (('a woman in a black coat', 'green'), ('a woman in an orange coat', 'green'))),
    Photograph('skimage', 'data/astronaut.png',
               'Eileen Collins, NASA, public domain, in scikit-image',
               (('a woman in an orange jacket', 'blue'), ('a woman in a pink shirt', 'green'),
                ('a woman in a brown coat', 'purple'))),
    Photograph('sklearn', 'datasets/images/china.jpg',
               'temple, by danielbuechele, CC BY 2.0, in scikit-learn',
               (('a man in a red coat', 'blue'), )),
    Photograph('sklearn', 'datasets/images/flower.jpg',
               'flower, by vultilion, CC BY 2.0, in scikit-learn',
               (('a woman in an orange shirt', 'green'), )),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--selfie', type=Path, required=True, help='selfie_segmentation.tflite')
    parser.add_argument('--pose', type=Path, required=True,
                        help='folder of the npm package @mediapipe/pose')


def run(args: argparse.Namespace) -> list[dict]:
    """Edit every photograph in both ways, judge the edits and write the sheet."""
    provider = MediaPipePoseProvider(
        str(args.pose / 'pose_solution_packed_assets.data'),
        str(args.pose / 'pose_landmark_lite.tflite'), MediaPipePersonProvider(str(args.selfie)))
    rows, strips = [], []
    for photograph in PHOTOGRAPHS:
        image = _open(photograph)
        [evidence] = provider.look([image])
        for caption, color in photograph.asked:
            request = replace(make_request(image, caption, color), evidence=evidence)
            edits = {'without': _edit(replace(request, evidence=None)), 'with': _edit(request)}
            said = {name: _judge(request, result) for name, result in edits.items()}
            strips.append(_strip(request, edits, said, photograph.credit))
            rows.append(dict(photograph=photograph.credit, asked=f'{caption} -> {color}',
                             **{f'{name} evidence': text for name, text in said.items()}))
    sheet = args.out / 'edited_photographs.jpg'
    _stack(strips).save(sheet, quality=80)
    print(sheet)
    return rows


def make_request(image: Image.Image, caption: str, color: str) -> EditRequest:
    """Build the request that gives the first coloured garment of a caption another colour."""
    mention = find_color_mentions(caption)[0]
    start, end = mention.color
    target = caption[:start] + color + caption[end:]
    longer = len(color) - (end - start)
    return EditRequest(
        job_id=f'{caption} -> {color}', image=image, source_captions=(caption, ),
        target_captions=(target, ), caption_index=0, source_span=mention.color,
        target_span=(start, start + len(color)), phrase_span=mention.span,
        target_phrase_span=(mention.span[0], mention.span[1] + longer),
        old_color=mention.bases[0], new_color=color, noun=mention.noun, region=mention.region,
        seed=0)


def _open(photograph: Photograph) -> Image.Image:
    spec = find_spec(photograph.package)
    if spec is None:
        raise MissingPackage(f'{photograph.credit}: {photograph.package} is not installed')
    with Image.open(Path(spec.origin).parent / photograph.file) as image:
        image = image.convert('RGB')
    image.thumbnail((512, 512))
    return image


def _edit(request: EditRequest) -> EditResult:
    return RecolorEditor().edit([request])[0]


def _judge(request: EditRequest, result: EditResult) -> str:
    """Say what refuses an edit, by all gates, which have the evidence."""
    gates = [EditStrengthGate(), KeepColorsGate(), LocalityGate(), MaskGate(), SanityGate(),
             PlaceGate(), PreserveGate()]
    if np.array_equal(np.asarray(request.image), np.asarray(result.image)):
        return 'left alone'
    refused = [name for name, verdict in run_gates(gates, request, result).items()
               if not verdict.ok]
    return f'refused by {", ".join(refused)}' if refused else 'accepted'


def _strip(request: EditRequest, edits: dict, said: dict[str, str], credit: str) -> Image.Image:
    """Draw a photograph and its two edits side by side, with the verdicts below."""
    images = [request.image, *(result.image for result in edits.values())]
    width = round(images[0].width * _HEIGHT / images[0].height)
    lines = [f'"{request.job_id}"    ({credit})',
             *(f'{name} evidence: {text}' for name, text in said.items())]
    strip = Image.new('RGB', (3 * width + 2 * _GAP, _HEIGHT + _LINE * len(lines) + 2 * _GAP),
                      'white')
    for column, image in enumerate(images):
        strip.paste(image.resize((width, _HEIGHT), Image.Resampling.LANCZOS),
                    (column * (width + _GAP), 0))
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((0, _HEIGHT + 3 + number * _LINE), line, 'black', font=font_for(line, 12))
    return strip


def _stack(strips: list[Image.Image]) -> Image.Image:
    size = max(strip.width for strip in strips), sum(strip.height for strip in strips)
    sheet, top = Image.new('RGB', size, 'white'), 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet
