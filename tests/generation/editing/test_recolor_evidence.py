"""Recolouring with evidence: faces, hands, wheels and the background are no garment."""

from dataclasses import replace

import numpy as np
import pytest
from mediapipe_models import (
    SELFIE,
    STREET,
    portrait,
    pose_files,
    recorded_landmarks,
    street,
)
from PIL import Image
from tiny_diffusion import request

from mmtbps.generation.editing.recolor import RecolorEditor
from mmtbps.generation.evidence.base import PARTS, EditEvidence
from mmtbps.generation.evidence.mediapipe_person import MediaPipePersonProvider
from mmtbps.generation.evidence.mediapipe_pose import MediaPipePoseProvider
from mmtbps.generation.evidence.pose_parts import parts_of_pose

RED, GRAY = (190, 30, 40), (128, 128, 128)


def asked(image, old='red', region='upper', evidence=None):
    return replace(request(f'A {old} shirt', old, 'green', job_id='j1'), image=image,
                   region=region, evidence=evidence)


def edit(*args, **kwargs):
    return RecolorEditor().edit([asked(*args, **kwargs)])[0]


def labelled(shape, **boxes):
    """Parts of a picture: name -> left, top, right, bottom."""
    parts = np.zeros(shape, np.uint8)
    for name, (left, top, right, bottom) in boxes.items():
        parts[top:bottom, left:right] = PARTS.index(name)
    return parts


@pytest.fixture
def block():
    """A red block in the middle of a gray picture of 64 x 160."""
    pixels = np.full((160, 64, 3), GRAY, np.uint8)
    pixels[30:85, 14:50] = RED
    return Image.fromarray(pixels)


@pytest.mark.parametrize('part', ['face', 'skin', 'hair', 'bag', 'lower', 'background', 'other'])
def test_what_is_no_garment_of_the_region_is_not_edited(block, part):
    parts = labelled((160, 64), upper=(14, 30, 50, 85))
    parts[30:60] = PARTS.index(part)
    assert edit(block).mask[30:60, 14:50].all()
    result = edit(block, evidence=EditEvidence(parts=parts))
    assert result.mask[62:84, 16:48].all() and not result.mask[:60].any()
    before, after = np.asarray(block), np.asarray(result.image)
    assert np.array_equal(before[:60], after[:60])
    nothing = edit(block, evidence=EditEvidence(parts=labelled((160, 64))))
    assert not nothing.mask.any() and np.array_equal(np.asarray(nothing.image), before)


def test_a_person_mask_limits_the_edit_too(block):
    person = np.zeros((160, 64), bool)
    person[:, :30] = True
    result = edit(block, evidence=EditEvidence(person=person))
    assert result.mask[35:80, 16:28].all() and not result.mask[:, 30:].any()


def test_joints_and_box_alone_change_nothing(block):
    known = EditEvidence(keypoints=np.ones((17, 3)), box=(0, 0, 64, 160))
    assert np.array_equal(edit(block).mask, edit(block, evidence=known).mask)


def test_a_known_garment_may_be_anywhere_and_as_wide_as_the_picture():
    pixels = np.full((160, 64, 3), GRAY, np.uint8)
    pixels[110:] = RED
    image = Image.fromarray(pixels)
    parts = labelled((160, 64), upper=(0, 110, 64, 160))
    assert not edit(image).mask.any()
    assert edit(image, evidence=EditEvidence(parts=parts)).mask[112:].all()


def test_the_face_of_a_photograph_is_not_the_orange_coat():
    """Without evidence it is: the mask is by real weights, the landmarks are those recorded."""
    pytest.importorskip('ai_edge_litert')
    image, face = portrait().reduce(4), np.s_[40:72, 48:85]
    assert edit(image, 'orange').mask[face].mean() > .5
    [found] = MediaPipePersonProvider(SELFIE).look([image])
    landmarks = np.array(recorded_landmarks()['portrait']) / (4, 4, 1)
    found = replace(found, parts=parts_of_pose(np.asarray(image), found.person, landmarks))
    assert edit(image, 'orange', evidence=found).mask.mean() < .002
    uniform = edit(image, 'black', evidence=found).mask
    assert uniform[112:120, 30:50].mean() > .9
    assert not uniform[:62].any()  # neither cap nor face nor sky


@pytest.mark.parametrize('box, old, wrong, least', [
    ((210, 395, 350, 870), 'red', (36, 119, 70, 135), .4),    # a hand as a red sweater
    ((640, 540, 780, 800), 'black', (50, 60, 130, 150), .3)])  # a wheel as a black coat
def test_hand_and_wheel_of_a_street_are_no_garment(box, old, wrong, least):
    image, (left, top, right, bottom) = street().crop(box), wrong
    assert edit(image, old).mask[top:bottom, left:right].mean() > least
    [found] = MediaPipePoseProvider(**pose_files(), person=dict(
        type='MediaPipePersonProvider', model=SELFIE)).look([image])
    assert edit(image, old, evidence=found).mask[top:bottom, left:right].mean() < .02


def test_more_of_a_coat_is_found_when_its_place_is_known():
    image = street().crop(STREET['black_coat'])
    [found] = MediaPipePoseProvider(**pose_files()).look([image])
    blind, seeing = (edit(image, 'black', evidence=known).mask for known in (None, found))
    assert seeing.sum() > 1.3 * blind.sum()
