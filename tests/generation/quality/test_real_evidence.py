"""Gates that ask real models of a real photograph: what pixels alone let pass is refused."""

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
from tiny_diffusion import request

from mmtbps.generation.editing.recolor import RecolorEditor
from mmtbps.generation.evidence.mediapipe_person import MediaPipePersonProvider
from mmtbps.generation.evidence.mediapipe_pose import MediaPipePoseProvider
from mmtbps.generation.evidence.pose_parts import parts_of_pose
from mmtbps.generation.quality.gates import (
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    SanityGate,
    run_gates,
)
from mmtbps.generation.quality.place_gates import PlaceGate, PreserveGate

PIXELS = [EditStrengthGate(), KeepColorsGate(), LocalityGate(), MaskGate(), SanityGate()]
PLACE = [PlaceGate(), PreserveGate()]


def asked(image, old, evidence, region='upper'):
    return replace(request(f'A {old} coat', old, 'green', 'coat', job_id='j1'), image=image,
                   region=region, evidence=evidence)


def passes(gates, query, knows):
    """Edit with or without the evidence; let the gates, which have it, judge."""
    known = query if knows else replace(query, evidence=None)
    verdicts = run_gates(gates, query, RecolorEditor().edit([known])[0])
    return {name: verdict.ok for name, verdict in verdicts.items()}


def test_a_green_face_is_no_green_coat():
    """The mask is by real weights, the landmarks are those recorded."""
    pytest.importorskip('ai_edge_litert')
    image = portrait().reduce(4)
    [found] = MediaPipePersonProvider(SELFIE).look([image])
    landmarks = np.array(recorded_landmarks()['portrait']) / (4, 4, 1)
    query = asked(image, 'orange', replace(found, parts=parts_of_pose(
        np.asarray(image), found.person, landmarks)))
    unknown = replace(query, evidence=None)
    assert all(passes(PIXELS, unknown, knows=False).values())
    assert passes([MaskGate(), *PLACE], query, knows=False) == dict(
        mask=False, place=False, preserve=False)
    assert not passes(PLACE, query, knows=True)['place']  # nothing to edit is no edit either


@pytest.mark.parametrize('box, old, right', [
    (STREET['beige_coat'], 'beige', True), (STREET['black_coat'], 'black', True),
    (STREET['black_coat'], 'red', False), ((640, 540, 780, 800), 'black', False)],
    ids=['beige coat', 'black coat', 'hand', 'wheel'])
def test_coats_of_a_street_pass_and_a_hand_and_a_wheel_do_not(box, old, right):
    image = street().crop(box)
    [found] = MediaPipePoseProvider(**pose_files(), person=dict(
        type='MediaPipePersonProvider', model=SELFIE)).look([image])
    query = asked(image, old, found)
    assert passes(PLACE, query, knows=False)['place'] == right
    assert all(passes([*PIXELS, *PLACE], query, knows=True).values()) == right
