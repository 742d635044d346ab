"""Edited photographs, one by one: what `RecolorEditor` makes without evidence and with it.

Every photograph is in the public domain or under a free licence, and is read from the package file
that ships it; the wheel is drawn. Evidence is by MediaPipe's models, which never saw the editor. A
contact sheet is written beside the JSON file. No share is computed: so few pictures say nothing of
others.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
from PIL import Image, ImageDraw

from mmtbps.errors import MissingFile
from mmtbps.generation import EditRequest, EditResult, RecolorEditor
from mmtbps.generation.evidence import MediaPipePersonProvider, MediaPipePoseProvider
from mmtbps.generation.quality import (
    BaseGate,
    CaptionGate,
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

_CELL, _GAP, _LINE, _COLUMNS = (168, 208), 6, 14, 2    # of the sheet, in pixels
_LARGEST = 512


class Photograph(NamedTuple):
    """Place of a photograph in a wheel, and what of it is asked for.

    Args:
        wheel: Beginning of the file's name; empty for what is drawn.
        member: File in the wheel.
        credit: Who and what, and where it is from.
        asked: Captions, true or not, each with a new colour for the garment it names.
        frame: Number of the frame of a video.
        box: Left, top, right, bottom of the part that is taken.
    """

    wheel: str
    member: str
    credit: str
    asked: tuple[tuple[str, str], ...]
    frame: int | None = None
    box: tuple[int, int, int, int] | None = None


_POSE2SIM = 'Pose2Sim/Demo_SinglePerson'
PHOTOGRAPHS = (
    Photograph('matplotlib', 'matplotlib/mpl-data/sample_data/grace_hopper.jpg',
               'Grace Hopper, US Navy',
               (('a woman in a black coat', 'green'), ('a woman in an orange coat', 'green'))),
    Photograph('scikit_image', 'skimage/data/astronaut.png', 'Eileen Collins, NASA',
               (('a woman in an orange jacket', 'blue'), ('a woman in a pink shirt', 'green'),
                ('a woman in a brown coat', 'purple'))),
    Photograph('pose2sim', f'{_POSE2SIM}/videos/cam02.mp4', 'a man, Pose2Sim',
               (('a man in black shorts', 'blue'), ('a man in a brown shirt', 'green')),
               frame=75, box=(340, 380, 760, 1280)),
    Photograph('pose2sim', f'{_POSE2SIM}/calibration/intrinsics/int_cam01_img/cam01_01_int.jpg',
               'a man with a board, Pose2Sim', (('a man in green shorts', 'blue'), )),
    Photograph('sports2d', 'Sports2D/Demo/demo.mp4', 'a woman, Sports2D',
               (('a woman in a gray shirt', 'red'), ('a woman in purple pants', 'green')),
               frame=115, box=(620, 470, 1080, 950)),
    Photograph('pose2sim', f'{_POSE2SIM}/videos/cam02.mp4', 'a hand, Pose2Sim',
               (('a man in a brown sweater', 'red'), ), frame=75, box=(690, 740, 790, 940)),
    Photograph('', '', 'a wheel, drawn', (('a man in a black coat', 'red'), )),
    Photograph('scikit_learn', 'sklearn/datasets/images/china.jpg', 'a temple, danielbuechele',
               (('a man in a red coat', 'blue'), )),
    Photograph('scikit_learn', 'sklearn/datasets/images/flower.jpg', 'a flower, vultilion',
               (('a woman in an orange shirt', 'green'), )),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--wheels', type=Path, required=True,
                        help='folder of wheels that hold the photographs')
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
        image = open_photograph(photograph, args.wheels)
        [evidence] = provider.look([image])
        for caption, color in photograph.asked:
            request = replace(make_request(image, caption, color), evidence=evidence)
            images, said = try_both(request)
            title = f'{photograph.credit}: {caption} -> {color}'
            rows.append(dict(asked=title, **said))
            strips.append(draw_strip(images, [
                title, *(f'{name}: {text}' for name, text in said.items())]))
    sheet = args.out / 'edited_photographs.jpg'
    stack(strips).save(sheet, quality=76)
    print(sheet)
    return rows


def try_both(request: EditRequest) -> tuple[list[Image.Image], dict[str, str]]:
    """Edit without evidence and with it.

    Returns:
        The source and both edits; and by the name of each way the verdict on it.
    """
    images, said = [request.image], {}
    for way, asked in (('without', replace(request, evidence=None)), ('with', request)):
        [result] = RecolorEditor().edit([asked])
        images.append(result.image)
        said[f'{way} evidence'] = judge(asked, request, result)
    return images, said


def judge(asked: EditRequest, request: EditRequest, result: EditResult) -> str:
    """Say what refuses an edit: gates of pixels as it was asked for, gates of place by evidence."""
    if np.array_equal(np.asarray(request.image), np.asarray(result.image)):
        return 'nothing edited'
    pixels = [CaptionGate(), EditStrengthGate(), KeepColorsGate(), LocalityGate(), MaskGate(),
              SanityGate()]
    return (f'pixels {_verdict(pixels, asked, result)}; '
            f'place {_verdict([PlaceGate(), PreserveGate()], request, result)}')


def _verdict(gates: Sequence[BaseGate], request: EditRequest, result: EditResult) -> str:
    refused = [name for name, verdict in run_gates(gates, request, result).items()
               if not verdict.ok]
    return f'refused ({", ".join(refused)})' if refused else 'accepted'


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


def open_photograph(photograph: Photograph, wheels: Path) -> Image.Image:
    """Read a photograph, RGB and at most 512 pixels wide and high.

    Raises:
        MissingFile: If the folder has no such wheel.
    """
    if not photograph.wheel:
        return draw_wheel()
    found = sorted(wheels.glob(f'{photograph.wheel}-*.whl'))
    if not found:
        raise MissingFile(f'{wheels}: no wheel of {photograph.wheel}, which ships '
                          f'{photograph.credit}')
    with ZipFile(found[-1]) as archive:
        content = archive.read(photograph.member)
    if photograph.frame is None:
        image = Image.open(BytesIO(content)).convert('RGB')
    else:
        image = _read_frame(content, photograph.frame)
    image = image.crop(photograph.box or (0, 0, *image.size))
    image.thumbnail((_LARGEST, _LARGEST))
    return image


def _read_frame(content: bytes, number: int) -> Image.Image:
    import cv2  # comes with mmengine
    with tempfile.NamedTemporaryFile(suffix='.mp4') as file:   # OpenCV reads files only
        file.write(content)
        file.flush()
        capture = cv2.VideoCapture(file.name)
        for _ in range(number + 1):     # seeking is not exact in every build
            _, pixels = capture.read()
        capture.release()
    return Image.fromarray(pixels[..., ::-1])


def draw_wheel() -> Image.Image:
    """Draw a black wheel with spokes before a pale wall."""
    image = Image.new('RGB', (192, 384), (206, 200, 190))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 300, 192, 384), (150, 146, 138))
    draw.ellipse((16, 96, 176, 256), (24, 24, 26))
    draw.ellipse((60, 140, 132, 212), (168, 168, 172))
    for angle in np.arange(0, np.pi, np.pi / 5):
        reach = 36 * np.array([np.cos(angle), np.sin(angle)])
        draw.line((*(np.array((96, 176)) - reach), *(np.array((96, 176)) + reach)), (90, 90, 94), 5)
    return image


def draw_strip(images: Sequence[Image.Image], lines: Sequence[str]) -> Image.Image:
    """Draw a photograph and its edits side by side, with what is said of them below."""
    width, height = _CELL
    strip = Image.new('RGB', (len(images) * (width + _GAP), height + _LINE * len(lines) + 3 * _GAP),
                      'white')
    for column, image in enumerate(images):
        scale = min(width / image.width, height / image.height)
        image = image.resize((round(image.width * scale), round(image.height * scale)),
                             Image.Resampling.LANCZOS)
        strip.paste(image, (column * (width + _GAP), 0))
        top = image.height + 3
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((0, top + number * _LINE), line, 'black', font=font_for(line, 11))
    return strip


def stack(strips: Sequence[Image.Image]) -> Image.Image:
    """Put strips of one size on a sheet, row by row."""
    width, height = strips[0].width + 2 * _GAP, strips[0].height
    rows = -(-len(strips) // _COLUMNS)
    sheet = Image.new('RGB', (_COLUMNS * width, rows * height), 'white')
    for number, strip in enumerate(strips):
        sheet.paste(strip, (number % _COLUMNS * width, number // _COLUMNS * height))
    return sheet
