"""A linear map of text features: identity at first, in a retriever, and fitted on frozen ones."""

import pytest
import torch
import torch.nn.functional as F

from mmtbps.errors import BadValue
from mmtbps.models import ProjectionNeck
from mmtbps.models.loading import load_strictly
from mmtbps.models.losses import info_nce, text_negatives_loss
from mmtbps.models.necks import LinearTextNeck, fit_text_map


@pytest.mark.parametrize('out_dims', [None, 3])
def test_it_starts_as_the_projection_alone_and_is_one_more_product(out_dims):
    plain, neck = ProjectionNeck(5, out_dims), LinearTextNeck(5, out_dims)
    report = load_strictly(neck, plain.state_dict())  # weights of a model without the map
    assert not report.misfits and neck.dims == plain.dims
    features = torch.randn(2, 7, 5)
    assert (neck.project(features) == plain.project(features)).all()
    with torch.no_grad():
        neck.text_map.weight.normal_()
    expected = plain.project(features) @ neck.text_map.weight.T
    torch.testing.assert_close(neck.project(features), expected)
    assert load_strictly(LinearTextNeck(5, out_dims), neck.state_dict()).loaded == len(
        neck.state_dict())


def test_in_a_retriever_captions_go_through_it(tiny_retriever):
    plain, mapped = tiny_retriever(), tiny_retriever(text_neck=dict(type='LinearTextNeck'))
    load_strictly(mapped, plain.state_dict())
    ids, mask = torch.tensor([[2, 7, 3]]), torch.ones(1, 3).bool()
    before = plain.eval().encode_text(ids, mask)
    assert (mapped.eval().encode_text(ids, mask) == before).all()
    with torch.no_grad():
        mapped.text_neck.text_map.weight.copy_(torch.eye(len(before[0])).flip(0))
    torch.testing.assert_close(mapped.encode_text(ids, mask), before.flip(1))


def bag_of_words(count=100, seed=0):
    """Pictures of colors on things; sentences whose features are nearly blind to the order."""
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randint(6, (2, count), generator=generator)
    second = torch.where(first == second, (second + 1) % 6, second)
    upper, lower = torch.eye(12)[first], torch.eye(12)[second + 6]
    swapped = torch.eye(12)[second] + torch.eye(12)[first + 6]
    image = upper + lower
    blur = torch.eye(6).repeat(2, 2)  # a color counts wherever it is

    def write(things):
        return F.normalize(things @ blur + .1 * things, dim=-1)

    return F.normalize(image, dim=-1), write(image), write(swapped)[:, None]


def test_a_fitted_map_binds_what_the_features_hold():
    image, text, wrong = bag_of_words()
    real = torch.ones(len(image), 1).bool()
    weight = fit_text_map(image, text, wrong, real, .1, steps=60, learning_rate=.05)

    def right(matrix):
        mapped, others = (F.normalize(one @ matrix.T, dim=-1) for one in (text, wrong[:, 0]))
        margin = ((image * mapped).sum(-1) - (image * others).sum(-1)).mean()
        return margin, info_nce(image, mapped, .1) + text_negatives_loss(
            image, mapped, others[:, None], real, .1)

    before, after = right(torch.eye(12)), right(weight)
    assert after[0] > 5 * before[0] and after[1] < before[1]
    assert (fit_text_map(image, text, wrong, real, .1, steps=2) == fit_text_map(
        image, text, wrong, real, .1, steps=2)).all()


@pytest.mark.parametrize('options', [dict(steps=0), dict(batch_size=0)])
def test_wrong_numbers_are_refused(options):
    with pytest.raises(BadValue, match='must be at least 1'):
        fit_text_map(*bag_of_words(4), torch.ones(4, 1).bool(), **options)
    with pytest.raises(BadValue, match='0 pairs'):
        fit_text_map(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0, 1, 2),
                     torch.zeros(0, 1).bool())
