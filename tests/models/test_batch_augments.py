"""Augmentation on the device: the CPU pipeline's results, slow references, chance."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmcv.transforms import RandomFlip
from mmengine.dataset import pseudo_collate
from mmpretrain.structures import DataSample

from mmtbps.datasets.transforms import PackTextImage
from mmtbps.engine import EpochSeedHook
from mmtbps.models import (
    BatchRandomCrop,
    BatchRandomErasing,
    BatchRandomFlip,
    TextImagePreprocessor,
)
from mmtbps.models.batch_augments import draw_boxes, erase, flip_images, pad_and_crop

AUGMENTS = [dict(type='BatchRandomFlip'), dict(type='BatchRandomCrop', padding=3),
            dict(type='BatchRandomErasing')]


@pytest.fixture(params=[torch.uint8, torch.float32], ids=str)
def images(request):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (12, 3, 9, 5), generator=generator).to(request.param)


def in_the_pipeline(image, *transforms):
    """A ``(3, H, W)`` image through transforms of the workers, and what they noted."""
    results = dict(img=image.permute(1, 2, 0).numpy())
    for transform in transforms:
        results = transform(results)
    return torch.from_numpy(results.pop('img').copy()).permute(2, 0, 1), results


def test_flip_and_crop_give_the_pixels_of_the_pipeline():
    """mmcv's RandomFlip and mmpretrain's RandomCrop, with the same draws: equal to the bit."""
    from mmpretrain.datasets.transforms import RandomCrop  # needs what mmtbps cures at its import

    class RecordedCrop(RandomCrop):
        def rand_crop_params(self, img):
            self.offsets = super().rand_crop_params(img)
            return self.offsets

    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 3, 24, 8), dtype=torch.uint8, generator=generator)
    np.random.seed(0)
    crop = RecordedCrop(crop_size=(24, 8), padding=4)
    expected, flipped, offsets = [], [], []
    for image in images:
        pixels, noted = in_the_pipeline(image, RandomFlip(prob=0.5), crop)
        expected.append(pixels)
        flipped.append(noted['flip'])
        offsets.append(crop.offsets[:2])
    assert 0 < sum(flipped) < 40 and len(set(offsets)) > 20, 'the pipeline did not vary'
    found = pad_and_crop(flip_images(images, torch.tensor(flipped)),
                         *torch.tensor(offsets).unbind(1), padding=4)
    assert found.dtype == torch.uint8 and torch.equal(found, torch.stack(expected))


def test_flip_equals_a_loop(images):
    augment = BatchRandomFlip(prob=0.4)
    torch.manual_seed(1)
    found = augment(images)
    torch.manual_seed(1)
    flipped, = augment.draw(12, 9, 5)
    expected = images.clone()
    for i in range(12):
        for column in range(5):
            source = 4 - column if flipped[i] else column
            expected[i, :, :, column] = images[i, :, :, source]
    assert 0 < flipped.sum() < 12 and torch.equal(found, expected)


def test_crop_equals_a_loop(images):
    augment = BatchRandomCrop(padding=2, fill=7)
    torch.manual_seed(1)
    found = augment(images)
    torch.manual_seed(1)
    tops, lefts = (draw.tolist() for draw in augment.draw(12, 9, 5))
    expected = torch.full_like(images, 7)
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        for row in range(9):
            for column in range(5):
                y, x = row + top - 2, column + left - 2
                if 0 <= y < 9 and 0 <= x < 5:
                    expected[i, :, row, column] = images[i, :, y, x]
    assert len({*tops}) > 2 and len({*lefts}) > 2 and torch.equal(found, expected)


def test_erasing_equals_a_loop(images):
    augment = BatchRandomErasing(prob=0.7, fill=(10.4, 20.6, 30.0))
    torch.manual_seed(1)
    found = augment(images)
    torch.manual_seed(1)
    boxes, = augment.draw(12, 9, 5)
    color = [10.4, 20.6, 30.0] if images.is_floating_point() else [10, 21, 30]
    expected = images.clone()
    for i, (top, left, height, width) in enumerate(boxes.tolist()):
        for channel in range(3):
            expected[i, channel, top:top + height, left:left + width] = color[channel]
    assert 0 < (boxes[:, 2] == 0).sum() < 12 and torch.equal(found, expected)


def test_one_colour_for_all_channels():
    erased = erase(torch.zeros(2, 3, 2, 2), torch.tensor([[0, 0, 2, 1], [1, 1, 0, 0]]), 5)
    assert erased[0].tolist() == [[[5, 0], [5, 0]]] * 3 and not erased[1].any()


@pytest.mark.parametrize('prob', [0.0, 0.3, 1.0])
def test_probability_is_the_share_of_changed_images(prob):
    """Within four standard deviations of 4000 draws."""
    torch.manual_seed(0)
    flipped, = BatchRandomFlip(prob).draw(4000, 24, 8)
    erased = BatchRandomErasing(prob).draw(4000, 24, 8)[0][:, 2] > 0
    for changed in (flipped, erased):
        assert abs(changed.float().mean().item() - prob) <= 4 * (prob * (1 - prob) / 4000) ** 0.5


def test_crops_are_uniform():
    torch.manual_seed(0)
    for draw in BatchRandomCrop(padding=2).draw(5000, 24, 8):
        counts = torch.bincount(draw, minlength=5)
        assert len(counts) == 5 and ((counts - 1000).abs() < 4 * 800 ** 0.5).all()


def test_boxes_keep_their_bounds_and_reach_every_corner():
    torch.manual_seed(0)
    boxes = draw_boxes(5000, 384, 128, area=(0.02, 0.4), ratio=(0.3, 1 / 0.3))
    top, left, height, width = boxes.unbind(1)
    assert top.min() == 0 and left.min() == 0
    assert (top + height).max() == 384 and (left + width).max() == 128
    area, ratio = height * width / (384 * 128), height / width
    assert area.min() > 0.019 and area.max() < 0.405  # sides are rounded to pixels
    assert 0.29 < ratio.min() < 0.32 and 3.1 < ratio.max() < 3.4
    # A box does not fit if sqrt(area / ratio) exceeds the image's width: drawn by itself.
    rng = np.random.default_rng(0)
    areas, ratios = rng.uniform(0.02, 0.4, 10**5), rng.uniform(0.3, 1 / 0.3, 10**5)
    fitting = areas[np.sqrt(areas * 384 / ratios / 128) <= 1]
    assert abs(area.mean().item() - fitting.mean()) < 4 * fitting.std() / 5000 ** 0.5


def test_a_box_that_never_fits_erases_nothing():
    boxes = draw_boxes(50, 8, 8, area=(0.9, 1.0), ratio=(9.0, 9.0))
    assert not boxes[:, 2:].any()
    assert torch.equal(erase(torch.ones(50, 1, 8, 8), boxes), torch.ones(50, 1, 8, 8))


def test_they_act_in_training_only_and_in_order(tiny_batch):
    batch = tiny_batch(6)
    plain = TextImagePreprocessor(to_rgb=False, mean=(0, 0, 0), std=(1, 1, 1))
    augmenting = TextImagePreprocessor(to_rgb=False, mean=(0, 0, 0), std=(1, 1, 1),
                                       batch_augments=AUGMENTS)
    state = torch.get_rng_state()
    tested = augmenting(batch, training=False)
    assert torch.equal(tested['images'], plain(batch)['images'])
    assert torch.equal(torch.get_rng_state(), state), 'a test batch draws random numbers'
    torch.manual_seed(5)
    trained = augmenting(batch, training=True)['images']
    torch.manual_seed(5)
    expected = torch.stack(batch['inputs']['image'])
    for augment in (BatchRandomFlip(), BatchRandomCrop(padding=3), BatchRandomErasing()):
        expected = augment(expected)
    assert torch.equal(trained, expected.float()) and not torch.equal(trained, tested['images'])


class EpochOf:
    """All that EpochSeedHook asks of a Runner."""

    seed, iter = 3, 0
    train_loop, train_dataloader = SimpleNamespace(run_epoch=None), range(4)
    message_hub = SimpleNamespace(runtime_info={})

    def __init__(self, epoch):
        self.epoch = epoch


def test_an_epoch_begins_alike_however_it_was_reached(tiny_batch):
    """A resumed run needs it: the draws depend on seed and epoch, not on what was before."""
    preprocessor, batch = TextImagePreprocessor(batch_augments=AUGMENTS), tiny_batch(6)

    def first_batches(epoch, already):
        for _ in range(already):
            preprocessor(batch, training=True)
        EpochSeedHook().before_train_iter(EpochOf(epoch), batch_idx=0)
        return torch.stack([preprocessor(batch, training=True)['images'] for _ in range(2)])

    assert torch.equal(first_batches(4, already=3), first_batches(4, already=0))
    assert not torch.equal(first_batches(4, already=0), first_batches(5, already=0))


@pytest.mark.parametrize('prob', [0.0, 1.0])
def test_flipping_twice_is_refused(prob):
    """The pipeline's flip may have come out one way or the other."""
    results = RandomFlip(prob=prob)(dict(img=np.zeros((8, 4, 3), np.uint8)))
    batch = pseudo_collate([PackTextImage()(dict(results, caption='a man', person_id=0,
                                                 input_ids=[torch.tensor([2, 3])]))])
    with pytest.raises(ValueError, match='MirrorCaption'):
        TextImagePreprocessor(batch_augments=[dict(type=BatchRandomFlip)])(batch, training=True)
    TextImagePreprocessor(batch_augments=[dict(type=BatchRandomFlip)])(batch, training=False)
    BatchRandomFlip()(torch.zeros(1, 3, 8, 4), [DataSample(metainfo=dict(person_id=0))])


@pytest.mark.parametrize('build', [
    lambda: BatchRandomFlip(prob=1.1), lambda: BatchRandomErasing(prob=-0.1),
    lambda: BatchRandomCrop(padding=0), lambda: BatchRandomErasing(area=(0.5, 0.2)),
    lambda: BatchRandomErasing(area=(0.0, 0.2)), lambda: BatchRandomErasing(ratio=(0.0, 1.0))])
def test_bad_options_are_refused(build):
    with pytest.raises(ValueError):
        build()


def test_a_dict_of_augments_is_refused():
    with pytest.raises(TypeError, match='list'):
        TextImagePreprocessor(batch_augments=dict(augments=AUGMENTS, probs=0.5))
