"""Parts from landmarks: of a figure drawn to measure, and of a real portrait."""

import numpy as np
import pytest
from mediapipe_models import SELFIE, portrait, recorded_landmarks

from mmtbps.generation.evidence.base import PARTS, EditEvidence
from mmtbps.generation.evidence.mediapipe_person import MediaPipePersonProvider
from mmtbps.generation.evidence.pose_parts import parts_of_pose

SKIN, SHIRT, TROUSERS = (220, 175, 150), (30, 120, 60), (60, 60, 70)
# A body of 100 x 260 pixels that stands with its arms down; the landmarks in MediaPipe's order.
FIGURE = [(50, 28),
          *[(52, 24), (53, 24), (54, 24)], *[(48, 24), (47, 24), (46, 24)], (60, 26), (40, 26),
          (53, 33), (47, 33), (68, 58), (32, 58), (74, 90), (26, 90), (76, 120), (24, 120),
          (77, 132), (23, 132), (76, 133), (24, 133), (75, 131), (25, 131), (60, 122), (40, 122),
          (60, 175), (40, 175), (60, 228), (40, 228), (60, 234), (40, 234), (64, 238), (36, 238)]


def figure():
    pixels = np.full((260, 100, 3), SHIRT, np.uint8)
    pixels[:48] = pixels[124:145, :30] = pixels[124:145, 72:] = SKIN
    pixels[124:, 32:70] = TROUSERS
    landmarks = np.column_stack([np.array(FIGURE, float), np.ones(33)])
    return pixels, np.ones((260, 100), bool), landmarks


def named(parts, x, y):
    return PARTS[parts[y, x]]


def test_each_limb_has_its_name():
    parts = parts_of_pose(*figure())
    expected = {(50, 28): 'face', (50, 34): 'face', (50, 10): 'hair', (50, 45): 'skin',
                (50, 70): 'upper', (74, 85): 'upper', (25, 100): 'upper', (50, 118): 'full',
                (60, 150): 'full', (40, 200): 'lower', (62, 236): 'shoes', (76, 130): 'skin',
                (24, 130): 'skin'}
    assert {place: named(parts, *place) for place in expected} == expected


def test_what_is_no_person_is_background():
    pixels, person, landmarks = figure()
    person[:, :30] = False
    parts = parts_of_pose(pixels, person, landmarks)
    assert np.array_equal(parts == 0, ~person)
    assert not parts_of_pose(pixels, ~np.ones_like(person), landmarks).any()
    landmarks[:, 2] = 0
    assert not parts_of_pose(pixels, person, landmarks).any()


def test_a_glove_or_a_coat_of_nearly_the_skins_tone_is_no_skin():
    pixels, person, landmarks = figure()
    pixels[124:145] = SHIRT
    assert named(parts_of_pose(pixels, person, landmarks), 76, 130) == 'upper'
    pixels[48:] = (214, 180, 160)  # nearer to itself than to the face
    assert named(parts_of_pose(pixels, person, landmarks), 76, 130) == 'upper'


def test_a_person_lying_down_has_the_same_parts():
    pixels, person, landmarks = figure()
    upright = parts_of_pose(pixels, person, landmarks)
    turned = landmarks.copy()
    turned[:, 0], turned[:, 1] = 260 - landmarks[:, 1], landmarks[:, 0]
    lying = parts_of_pose(np.rot90(pixels, -1), np.rot90(person, -1), turned)
    assert (np.rot90(lying) == upright).mean() > .995


def test_a_face_in_a_photograph_is_no_garment():
    """The mask by real weights; the landmarks as the real pose model found them."""
    pytest.importorskip('ai_edge_litert')
    image = portrait()
    [found] = MediaPipePersonProvider(SELFIE).look([image])
    parts = parts_of_pose(np.asarray(image), found.person,
                          np.array(recorded_landmarks()['portrait']))
    garment = EditEvidence(parts=parts).garment('upper')
    assert garment[450:590, 80:440].mean() > .97       # the uniform
    assert garment[160:290, 190:340].mean() == 0       # the face
    assert garment[40:150, 190:350].mean() == 0        # cap and hair
    assert garment[:300, 400:].mean() < .01            # the sky
    assert garment[:300, :110].mean() < .01            # the flag
