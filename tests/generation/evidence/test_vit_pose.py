"""Joints of ViTPose lie where its heat maps peak."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_vision import rt_detr, vit_pose

from mmtbps.errors import BadValue
from mmtbps.generation.evidence.base import BaseEvidenceProvider, EditEvidence
from mmtbps.generation.evidence.person_box import NOBODY
from mmtbps.generation.evidence.vit_pose import ViTPoseProvider

pytest.importorskip('scipy')

BOX = (10., 20., 70., 140.)


class FixedBox(BaseEvidenceProvider):
    provides, digest_fields = ('box',), dict(type='FixedBox')

    def __init__(self, box=BOX):
        self.box = box

    def look(self, images):
        return [EditEvidence(box=self.box, sources=dict(box='fixed'))] * len(images)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return vit_pose(tmp_path_factory.mktemp('vit_pose'))


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (160, 90, 3), dtype=np.uint8))


def peaks_by_hand(heatmaps, box):
    """Place each map's peak in the box, grown to the shape of the input and by a quarter."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    width, height = max(width, height * 3 / 4) * 1.25, max(height, width * 4 / 3) * 1.25
    middle = (left + right) / 2, (top + bottom) / 2
    joints = []
    for heat in heatmaps:
        row, column = divmod(int(heat.argmax()), heat.shape[1])
        joints.append((middle[0] + (column / (heat.shape[1] - 1) - .5) * width,
                       middle[1] + (row / (heat.shape[0] - 1) - .5) * height,
                       float(heat.max().clamp(0, 1))))
    return np.array(joints)


def with_peaks(provider):
    """Let the network answer maps with one smooth peak each; return those maps."""
    rows, columns = torch.meshgrid(torch.arange(16.), torch.arange(12.), indexing='ij')
    maps = torch.stack([(1 - k / 20) * torch.exp(-((rows - 3 - k % 9) ** 2
                                                  + (columns - 2 - k % 7) ** 2) / 8)
                        for k in range(17)])
    provider.model.network.head.forward = lambda sequence, flip_pairs=None: maps[None]
    return maps


@pytest.mark.parametrize('box', [None, FixedBox()])
def test_joints_are_where_the_maps_peak(folder, image, box):
    provider = ViTPoseProvider(folder, box=box, device='cpu')
    maps = with_peaks(provider)
    [found] = provider.look([image])
    wanted = peaks_by_hand(maps, BOX if box else (0, 0, *image.size))
    assert np.abs(found.keypoints - wanted)[:, :2].max() < 6  # about half a cell of the map
    np.testing.assert_allclose(found.keypoints[:, 2], wanted[:, 2], atol=1e-5)
    assert found.box == (BOX if box else None)
    assert provider.provides == (('keypoints', 'box') if box else ('keypoints',))


def test_the_real_preprocessing_reaches_the_network(folder, image):
    provider = ViTPoseProvider(folder, device='cpu')
    seen = []
    provider.model.network.backbone.register_forward_pre_hook(
        lambda module, inputs, kwargs: seen.append(kwargs or inputs), with_kwargs=True)
    one, two = (provider.look([picture])[0].keypoints
                for picture in (image, Image.new('RGB', image.size, 'white')))
    assert one.shape == two.shape == (17, 3) and not np.array_equal(one, two)


def test_nobody_has_no_joints(folder, image):
    [found] = ViTPoseProvider(folder, box=FixedBox(NOBODY), device='cpu').look([image])
    assert found.box == NOBODY and not found.keypoints.any()


def test_a_model_of_several_sets_is_asked_for_the_first(tmp_path, image):
    [found] = ViTPoseProvider(vit_pose(tmp_path, experts=3), device='cpu').look([image])
    assert np.isfinite(found.keypoints).all()


def test_other_joints_and_other_models_are_refused(tmp_path, image):
    with pytest.raises(BadValue, match='finds 21 joints, not the 17 of COCO'):
        ViTPoseProvider(vit_pose(tmp_path / 'hand', joints=21)).look([image])
    with pytest.raises(BadValue, match="type 'rt_detr' is none of VitPoseForPoseEstimation"):
        ViTPoseProvider(rt_detr(tmp_path / 'boxes')).look([image])


def test_the_box_is_part_of_the_digest(folder):
    fields = ViTPoseProvider(folder).digest_fields
    assert fields != ViTPoseProvider(folder, box=FixedBox()).digest_fields
    assert ViTPoseProvider(folder, box=FixedBox()).digest_fields['box'] == dict(type='FixedBox')
