"""The real selfie segmentation on a real photograph."""

import sys

import numpy as np
import pytest
from mediapipe_models import SELFIE, portrait
from PIL import Image

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.generation.evidence.mediapipe_person import MediaPipePersonProvider
from mmtbps.generation.evidence.tflite_model import TFLiteModel
from mmtbps.registry import TASK_UTILS

# Left, top, right, bottom in the portrait, by eye.
PERSON = dict(face=(190, 160, 340, 290), cap=(200, 60, 350, 125), uniform=(80, 440, 440, 590))
NOBODY = dict(flag=(0, 0, 120, 300), sky=(400, 0, 512, 300))


def share(mask, box):
    left, top, right, bottom = box
    return mask[top:bottom, left:right].mean()


def test_the_mask_is_on_the_person():
    pytest.importorskip('ai_edge_litert')
    provider = TASK_UTILS.build(dict(type='MediaPipePersonProvider', model=SELFIE))
    image = portrait()
    [found, turned] = provider.look([image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    assert found.person.shape == (600, 512) and .45 < found.person.mean() < .7
    assert [name for name, box in PERSON.items() if share(found.person, box) < .99] == []
    assert [name for name, box in NOBODY.items() if share(found.person, box) > .01] == []
    assert (found.person == turned.person[:, ::-1]).mean() > .97
    assert found.sources == dict(person='selfie_segmentation.tflite')
    assert found.parts is found.keypoints is found.box is None


def test_small_crops_of_any_shape_have_masks_of_their_size():
    pytest.importorskip('ai_edge_litert')
    image = portrait()
    tall = image.crop((150, 0, 400, 600)).resize((48, 128))
    blank = Image.new('RGB', (40, 90), (90, 120, 200))
    [person, nobody] = MediaPipePersonProvider(SELFIE).look([tall, blank])
    assert person.person.shape == (128, 48) and person.person[40:].mean() > .7
    assert nobody.person.shape == (90, 40) and nobody.person.mean() < .05


def test_settings_and_content_are_the_digest(tmp_path):
    copy = tmp_path / 'other_name.tflite'
    copy.write_bytes(open(SELFIE, 'rb').read())
    fields = MediaPipePersonProvider(SELFIE).digest_fields
    assert fields == MediaPipePersonProvider(str(copy)).digest_fields
    assert fields['sha256'].startswith('8d13b7fae74af625')
    assert fields != MediaPipePersonProvider(SELFIE, threshold=.7).digest_fields


def test_no_file_no_model_and_no_runtime_are_told(tmp_path, monkeypatch):
    with pytest.raises(MissingFile, match='gone.tflite: no such file'):
        MediaPipePersonProvider(str(tmp_path / 'gone.tflite'))
    blank = [Image.new('RGB', (8, 8))]
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', None)
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[tflite\]"'):
        MediaPipePersonProvider(SELFIE).look(blank)
    monkeypatch.undo()
    pytest.importorskip('ai_edge_litert')
    (tmp_path / 'text.tflite').write_text('no model')
    with pytest.raises(BadValue, match='text.tflite: no model of TensorFlow Lite'):
        MediaPipePersonProvider(str(tmp_path / 'text.tflite')).look(blank)
    with pytest.raises(BadValue, match=r'none of \(7,\): it is another model'):
        TFLiteModel(SELFIE, [(7,)])(np.zeros((256, 256, 3)))
