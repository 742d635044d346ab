"""Boxes of the main person against the network called by hand."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tiny_vision import rt_detr, segformer

from mmtbps.errors import BadValue
from mmtbps.generation.evidence.person_box import NOBODY, PersonBoxProvider, main_box

SIDE = 64


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return rt_detr(tmp_path_factory.mktemp('rt_detr'))


def pictures():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
            for width, height in ((60, 100), (120, 80), (64, 64), (50, 200))]


def boxes_by_hand(network, image, threshold):
    square = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255
    with torch.inference_mode():
        raw = network(pixel_values=torch.from_numpy(square).permute(2, 0, 1)[None])
    scores = raw.logits[0].sigmoid()
    best = scores.flatten().topk(len(scores)).indices.tolist()
    found = []
    for query, label in (divmod(index, scores.shape[1]) for index in best):
        x, y, w, h = (raw.pred_boxes[0, query] * torch.tensor([image.width, image.height] * 2)
                      ).tolist()
        if label == 0 and scores[query, label] > threshold:
            found.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return found


@pytest.mark.parametrize('threshold', [.3, .7, .999])
def test_it_is_one_of_the_networks_people(folder, threshold):
    network = transformers.AutoModelForObjectDetection.from_pretrained(folder).eval()
    provider = PersonBoxProvider(folder, threshold, device='cpu')
    found = [piece.box for piece in provider.look(pictures())]
    wanted = [main_box(boxes_by_hand(network, image, threshold), image.size)
              for image in pictures()]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert (found == [NOBODY] * 4) == (threshold == .999)
    alone = [provider.look([image])[0].box for image in pictures()]
    np.testing.assert_allclose(alone, found, atol=1e-3)


def test_the_largest_counts_and_of_two_the_one_in_the_middle():
    left, middle, small = (0, 0, 30, 90), (35, 5, 65, 90), (45, 40, 55, 60)
    assert main_box([left, middle, small], (100, 100)) == middle
    assert main_box([small, left], (100, 100)) == left
    assert main_box([(-50, -50, 200, 50)], (100, 100)) == (0, 0, 100, 50)
    assert main_box([(120, 0, 150, 50)], (100, 100)) == main_box([], (100, 100)) == NOBODY


def test_a_detector_without_people_and_another_model_are_refused(tmp_path):
    with pytest.raises(BadValue, match="none of its 2 labels is 'person'"):
        PersonBoxProvider(rt_detr(tmp_path / 'cars', labels=('car', 'bus'))).look(pictures())
    with pytest.raises(BadValue, match="type 'segformer' is none of AutoModelForObjectDet"):
        PersonBoxProvider(segformer(tmp_path / 'parsing')).look(pictures())


def test_weights_and_threshold_are_the_digest(folder, tmp_path):
    fields = PersonBoxProvider(folder).digest_fields
    assert fields == PersonBoxProvider(rt_detr(tmp_path / 'same')).digest_fields
    assert fields != PersonBoxProvider(folder, .6).digest_fields
    assert fields != PersonBoxProvider(rt_detr(tmp_path / 'other', seed=1)).digest_fields
