"""Real weights of MediaPipe, and photographs to try them on."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

_FOLDER = Path(__file__).parent / 'fixtures/mediapipe'
SELFIE = str(_FOLDER / 'selfie_segmentation.tflite')
#: Boxes of two people in a street, of `street`.
STREET = dict(beige_coat=(40, 390, 260, 910), black_coat=(210, 395, 350, 870))


def recorded_landmarks() -> dict[str, list[list[float]]]:
    """Read the landmarks that the pose models find, by the name of the photograph."""
    return json.loads((_FOLDER / 'landmarks.json').read_text())


def pose_files() -> dict[str, str]:
    """Files of the pose models; the test is skipped where nobody has fetched them."""
    pytest.importorskip('ai_edge_litert')
    if not (folder := os.environ.get('MEDIAPIPE_POSE')):
        pytest.skip('MEDIAPIPE_POSE names no folder of the npm package @mediapipe/pose')
    return dict(detector=str(Path(folder, 'pose_solution_packed_assets.data')),
                landmarks=str(Path(folder, 'pose_landmark_lite.tflite')))


def portrait() -> Image.Image:
    """Grace Hopper, of matplotlib: a picture of the United States Navy, in the public domain."""
    cbook = pytest.importorskip('matplotlib.cbook')
    with Image.open(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False)) as image:
        return image.convert('RGB')


def street() -> Image.Image:
    """People before a bus, of ultralytics (AGPL-3.0), which nothing of ours needs."""
    if (spec := find_spec('ultralytics')) is None:
        pytest.skip('ultralytics, whose photograph of a street this is, is not installed')
    with Image.open(Path(spec.submodule_search_locations[0], 'assets/bus.jpg')) as image:
        return image.convert('RGB')
