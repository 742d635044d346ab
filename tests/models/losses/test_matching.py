"""Hard negatives by their frequencies, and the matching loss by hand."""

import math

import pytest
import torch

from mmtbps.models.losses import draw_hard_negatives, matching_loss

PEOPLE = torch.tensor([5, 2, 5, 9])
NOISE = torch.Generator().manual_seed(0)
IMAGE, TEXT = torch.randn(2, 4, 6, generator=NOISE)


def chances(rows, columns, temperature):
    """Probability of each column, one score at a time; a person's own pairs are never drawn."""
    table = []
    for i, row in enumerate(rows):
        weights = [0.0 if PEOPLE[i] == PEOPLE[j] else math.exp(
            float(row @ column / row.norm() / column.norm()) / temperature)
            for j, column in enumerate(columns)]
        table.append([weight / sum(weights) for weight in weights])
    return torch.tensor(table)


@pytest.mark.parametrize('temperature', [0.2, 1.0])
def test_negatives_are_drawn_by_the_softmax_over_other_people(temperature):
    count, generator = 1500, torch.Generator().manual_seed(3)
    found = torch.zeros(2, 4, 4)
    for _ in range(count):
        for side, drawn in enumerate(draw_hard_negatives(IMAGE, 7 * TEXT, PEOPLE, temperature,
                                                         generator)):
            found[side, torch.arange(4), drawn] += 1 / count
    expected = torch.stack([chances(TEXT, IMAGE, temperature), chances(IMAGE, TEXT, temperature)])
    assert (expected[0] - expected[1]).abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
    assert not found[expected == 0].any()


def test_a_seed_fixes_the_draw():
    first, again, other = (draw_hard_negatives(
        IMAGE.repeat(5, 1), TEXT.repeat(5, 1), torch.arange(20), 1.0,
        torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again)) and not all(map(torch.equal, first, other))
    torch.manual_seed(4)
    one = draw_hard_negatives(IMAGE, TEXT, PEOPLE, 1.0)
    torch.manual_seed(4)
    assert all(map(torch.equal, one, draw_hard_negatives(IMAGE, TEXT, PEOPLE, 1.0)))


def test_a_batch_of_one_person_has_no_negatives():
    images, captions = draw_hard_negatives(IMAGE, TEXT, torch.zeros(4, dtype=torch.long))
    assert images.tolist() == captions.tolist() == [-1] * 4


def test_features_that_are_no_numbers_end_in_a_loss_that_is_none():
    """The draw must not stop a step, on a GPU not the process: the loss says what is wrong."""
    broken = IMAGE.clone()
    broken[1] = float('nan')
    for image, text in ((broken, TEXT), (TEXT, broken), (broken * float('nan'), broken)):
        drawn = draw_hard_negatives(image, text, PEOPLE)
        for rows in drawn:
            assert (PEOPLE[rows] != PEOPLE).all() and (rows >= 0).all()


def test_the_loss_by_hand():
    positive, negative = torch.tensor([[.3, 1.2]]), torch.tensor([[2., -1.], [.5, .4]])

    def entropy(logits, label):
        return math.log(sum(map(math.exp, logits))) - logits[label]

    values = [entropy([.3, 1.2], 1), entropy([2., -1.], 0), entropy([.5, .4], 0)]
    assert matching_loss(positive, negative).item() == pytest.approx(sum(values) / 3, abs=1e-6)
    there = torch.tensor([False, True])
    assert matching_loss(positive, negative, there).item() == pytest.approx(
        (values[0] + values[2]) / 2, abs=1e-6)
    half = matching_loss(positive.bfloat16(), negative.bfloat16())
    assert half.dtype == torch.float32


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r'person_ids .N,., got .4, 6., .4, 6. and .3,.'):
        draw_hard_negatives(IMAGE, TEXT, PEOPLE[:3])
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        draw_hard_negatives(IMAGE, TEXT, PEOPLE, 0)
