"""TextImagePreprocessor: pixels to the model's numbers, and how they travel."""

import pytest
import torch

from mmtbps.models import TextImagePreprocessor

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
@pytest.mark.parametrize('to_rgb', [True, False])
def test_normalised_as_written_to_the_bit(dtype, to_rgb):
    """Every pixel value in every channel, against numbers computed one at a time."""
    images = torch.arange(256).view(1, 1, 16, 16).expand(2, 3, 16, 16).to(dtype)
    found = TextImagePreprocessor(to_rgb=to_rgb).normalise(images)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    for channel in range(3):
        for value in range(256):
            expected = (torch.tensor(float(value)) - mean[channel]) / std[channel]
            assert found[1, channel, value // 16, value % 16] == expected
    assert found.dtype == torch.float32


def test_channels_are_turned_and_the_callers_images_stay():
    images = [torch.full((3, 4, 2), 7.0) + torch.arange(3.0)[:, None, None]]
    before = images[0].clone()
    for to_rgb, order in ((True, [9, 8, 7]), (False, [7, 8, 9])):
        preprocessor = TextImagePreprocessor(mean=(0, 0, 0), std=(1, 1, 1), to_rgb=to_rgb)
        for image in (images, images[0][None]):
            found = preprocessor(dict(inputs=dict(image=image)))['images']
            assert found.shape == (1, 3, 4, 2) and found[0, :, 3, 1].tolist() == order
    assert torch.equal(images[0], before)


def test_the_numbers_follow_the_models_precision():
    image = torch.full((3, 4, 2), 200, dtype=torch.uint8)
    found = TextImagePreprocessor().double()(dict(inputs=dict(image=[image])))['images']
    expected = (200 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    assert torch.equal(found[0, :, 0, 0], expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_images_reach_a_gpu_from_pinned_memory(tiny_batch):
    preprocessor = TextImagePreprocessor().cuda()
    batch = tiny_batch(4)
    assert preprocessor.stack(batch['inputs']['image']).is_pinned()
    found, expected = preprocessor(batch), TextImagePreprocessor()(batch)
    for key in ('images', 'input_ids', 'attention_mask'):
        torch.testing.assert_close(found[key].cpu(), expected[key])
    assert torch.equal(preprocessor.stack([found['images'][0]]), found['images'][:1])


def test_captions_and_further_tokens_have_a_least_and_a_largest_length():
    captions = [torch.tensor([5, 6, 7]), torch.tensor([5, 6])]
    inputs = dict(input_ids=captions, caption_lengths=[torch.tensor([3]), torch.tensor([2])],
                  masked=captions, masked_lengths=[torch.tensor([3]), torch.tensor([2])])
    for options, length in ((dict(min_length=6), 6), (dict(pad_multiple=4), 4),
                            (dict(pad_multiple=8, max_length=5), 5),
                            (dict(min_length=6, max_length=5), 5), (dict(max_length=2), 3)):
        batch = TextImagePreprocessor(pad_token_id=1, **options)(dict(inputs=dict(inputs)))
        rows = [row.tolist() + [1] * (length - len(row)) for row in captions]
        assert batch['input_ids'].tolist() == batch['inputs']['masked'].tolist() == rows, options
        assert batch['attention_mask'].sum(1).tolist() == [3, 2]
