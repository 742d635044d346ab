"""The real pose models, where they were fetched: faces, hands and wheels are no garment."""

import numpy as np
import pytest
from mediapipe_models import SELFIE, STREET, portrait, pose_files, recorded_landmarks, street

from mmtbps.errors import MissingFile
from mmtbps.generation.evidence.base import KEYPOINTS
from mmtbps.generation.evidence.mediapipe_pose import COCO_LANDMARKS, MediaPipePoseProvider

# Names of MediaPipe's landmarks, in their order.
LANDMARKS = (
    'nose', 'left_eye_inner', 'left_eye', 'left_eye_outer', 'right_eye_inner', 'right_eye',
    'right_eye_outer', 'left_ear', 'right_ear', 'mouth_left', 'mouth_right', 'left_shoulder',
    'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_pinky',
    'right_pinky', 'left_index', 'right_index', 'left_thumb', 'right_thumb', 'left_hip',
    'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle', 'left_heel',
    'right_heel', 'left_foot_index', 'right_foot_index')
# Left, top, right, bottom in the man with the black coat, by eye.
COAT, FACE, HANDS = (40, 160, 78, 210), (62, 30, 95, 72), ((36, 119, 70, 135), (52, 255, 68, 285))
WHEEL = (131, 205, 139, 290)


def provider(**kwargs):
    return MediaPipePoseProvider(
        **pose_files(), person=dict(type='MediaPipePersonProvider', model=SELFIE), **kwargs)


def share(mask, box):
    left, top, right, bottom = box
    return mask[top:bottom, left:right].mean()


def test_landmarks_are_those_of_coco():
    assert tuple(LANDMARKS[i] for i in COCO_LANDMARKS) == KEYPOINTS


def test_a_missing_file_is_named():
    with pytest.raises(MissingFile, match='gone.data: no such file'):
        MediaPipePoseProvider('gone.data', 'gone.tflite')


def test_it_finds_what_it_found_when_it_was_recorded():
    image = portrait()
    landmarks, _ = provider().find(image)
    np.testing.assert_allclose(landmarks, recorded_landmarks()['portrait'],
                               atol=.02 * image.height)


def test_hand_face_and_wheel_of_a_street_are_no_garment():
    [found] = provider().look([street().crop(STREET['black_coat'])])
    garment = found.garment('upper')
    assert share(garment, COAT) == 1
    assert share(garment, FACE) == share(garment, WHEEL) == 0
    assert [share(garment, hand) < .3 for hand in HANDS] == [True, True]
    assert (found.keypoints[:, 2] > .5).all()
    assert found.sources['keypoints'] == 'pose_landmark_lite.tflite'


def test_a_wheel_alone_is_nobody():
    image = street().crop((300, 520, 660, 1000))
    [found] = provider().look([image])
    assert not found.parts.any() and not found.keypoints[:, 2].any()


def test_the_mask_of_the_pose_model_will_do():
    image = portrait()
    [own] = MediaPipePoseProvider(**pose_files()).look([image])
    [other] = provider().look([image])
    assert (own.person == other.person).mean() > .93
    assert own.sources['person'] == 'pose_landmark_lite.tflite'
    assert other.sources['person'] == 'MediaPipePersonProvider'
