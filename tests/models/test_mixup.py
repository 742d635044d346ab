"""Mixup of hidden states, of pixels and of captions."""

import pytest
import torch

from mmtbps.models import FeatureMixup, PixelMixup
from mmtbps.models.backbones import Tokens
from mmtbps.models.mixup import Mixing, concatenate_captions, join_masks, mix


def test_mix_equals_a_loop():
    torch.manual_seed(0)
    values, partner = torch.randn(4, 3, 2), torch.tensor([2, 0, 3, 1])
    weight = torch.tensor([0.0, 0.25, 0.5, 1.0])
    mixed = mix(values, partner, weight)
    for i in range(4):
        expected = (1 - weight[i]) * values[i] + weight[i] * values[partner[i]]
        torch.testing.assert_close(mixed[i], expected)


def test_weight_zero_changes_nothing_bit_for_bit():
    values = torch.tensor([[-0.0, 1e-38], [float('inf'), 2.0]])
    mixed = mix(values, torch.tensor([1, 0]), torch.zeros(2))
    assert torch.equal(mixed.view(torch.int32), values.view(torch.int32))
    mask = torch.tensor([[True, False], [True, True]])
    assert torch.equal(join_masks(mask, torch.tensor([1, 0]), torch.zeros(2)), mask)


def test_masks_are_joined_where_captions_mix():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]]).bool()
    joined = join_masks(mask, torch.tensor([1, 0]), torch.tensor([0.5, 0.0]))
    assert joined.tolist() == [[True, True, True, False], [True, True, True, False]]
    assert torch.equal(joined[1], mask[1])


def test_captions_are_concatenated_with_one_start_and_one_end():
    ids = torch.tensor([[101, 7, 8, 102], [101, 9, 102, 0]])
    new, mask = concatenate_captions(ids, ids != 0, torch.tensor([1, 0]),
                                     torch.tensor([0.5, 0.0]), max_length=10)
    assert new.tolist() == [[101, 7, 8, 9, 102], [101, 9, 102, 0, 0]]
    assert mask.sum(1).tolist() == [5, 3]
    cut, _ = concatenate_captions(ids, ids != 0, torch.tensor([1, 0]),
                                  torch.tensor([0.5, 0.5]), max_length=4)
    assert cut.tolist() == [[101, 7, 8, 102], [101, 9, 7, 102]]


def test_joined_captions_keep_all_places_of_their_batch():
    ids = torch.tensor([[101, 7, 102, 1, 1, 1], [101, 9, 102, 1, 1, 1]])
    for max_length, places in ((10, 6), (5, 5)):
        new, mask = concatenate_captions(ids, ids != 1, torch.tensor([1, 0]),
                                         torch.tensor([0.5, 0.0]), max_length, pad_token_id=1)
        rows = [[101, 7, 9, 102, 1, 1], [101, 9, 102, 1, 1, 1]]
        assert new.tolist() == [row[:places] for row in rows]
        assert mask.sum(1).tolist() == [4, 3]


def test_image_and_text_share_partner_and_weight():
    mixup = FeatureMixup(prob=1.0, beta=0.4)
    torch.manual_seed(0)
    mixing = mixup.draw(6, torch.device('cpu'))
    hidden, mask = torch.randn(6, 5, 3), torch.ones(6, 5, dtype=torch.bool)
    image, text = mixing.mix_tokens(Tokens(hidden)), mixing.mix_tokens(Tokens(hidden, mask))
    assert torch.equal(image.hidden, text.hidden) and not torch.equal(image.hidden, hidden)
    assert sorted(mixing.partner.tolist()) == list(range(6))


def test_a_mixed_row_keeps_its_own_place_to_read():
    mixing = Mixing(torch.tensor([1, 0]), torch.tensor([0.5, 0.0]), layer=0)
    mask = torch.tensor([[True, False], [True, True]])
    mixed = mixing.mix_tokens(Tokens(torch.randn(2, 2, 3), mask, read=torch.tensor([0, 1])))
    assert mixed.read.tolist() == [0, 1] and mixed.mask.all()


def test_chunks_mix_what_the_whole_batch_mixes():
    torch.manual_seed(0)
    hidden, mixing = torch.randn(5, 3, 2), FeatureMixup(prob=0.7).draw(5, torch.device('cpu'))
    whole = mixing.mix_tokens(Tokens(hidden)).hidden
    for start, stop in ((0, 2), (2, 5)):
        chunk = mixing.chunk(start, stop)
        assert torch.equal(chunk.mix_tokens(Tokens(hidden[chunk.rows])).hidden, whole[start:stop])
    pixels = PixelMixup().draw(5, torch.device('cpu')).chunk(1, 3)
    assert pixels.rows.tolist() == [1, 2] and pixels.mix_tokens(Tokens(hidden)).hidden is hidden


def test_pixel_mixup_mixes_pixels_and_appends_words():
    mixup = PixelMixup(prob=1.0, max_length=8)
    images = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 2)
    ids = torch.tensor([[2, 7, 3], [2, 9, 3]])
    mixing = Mixing(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]))
    mixed, words, _ = mixup.mix_inputs(images, ids, ids > 0, mixing)
    assert (mixed == 0.5).all()
    assert words.tolist() == [[2, 7, 9, 3], [2, 9, 7, 3]]


def test_probability_is_the_share_of_mixed_rows():
    torch.manual_seed(0)
    share = sum(float((FeatureMixup(prob=0.3).draw(100, torch.device('cpu')).weight > 0).sum())
                for _ in range(50)) / 5000
    assert abs(share - 0.3) < 0.03  # four standard deviations are 0.026
    assert (FeatureMixup(prob=0.0).draw(100, torch.device('cpu')).weight == 0).all()


@pytest.mark.parametrize('kwargs', [dict(prob=1.5), dict(weight=-0.1), dict(beta=0.0),
                                    dict(layer=-1), dict(mode='both'), dict(partner='me')])
def test_bad_options_are_refused(kwargs):
    with pytest.raises(ValueError):
        FeatureMixup(**kwargs)
