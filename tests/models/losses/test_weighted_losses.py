"""Weights of pairs in every loss that is a mean over pairs: each counts by its own."""

import pytest
import torch
import torch.nn.functional as F

from mmtbps.models import losses
from mmtbps.models.losses import GatheredPairs

PEOPLE = torch.tensor([3, 1, 3, 0])
WEIGHTS = torch.tensor([2., 0., .5, 1.])
NAMES = {'cmpm_loss': {}, 'hardest_triplet_loss': dict(margin=.5), 'sdm_loss': dict(adaptive=.1),
         'reverse_contrastive_loss': dict(temperature=.3),
         'soft_label_contrastive_loss': dict(temperature=.3), 'cyclic_loss': {},
         'sigmoid_loss': dict(scale=3., bias=-1., same_person='masked')}


def pairs(seed=0):
    return torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize('name', NAMES)
def test_a_pair_counts_by_its_weight(name):
    """By hand: the loss of each pair alone, as a process of its own that sees the whole batch."""
    image, text = pairs()
    people = {} if name == 'cyclic_loss' else dict(person_ids=PEOPLE)
    loss, options = getattr(losses, name), NAMES[name]

    def alone(row):
        ids = {key: one[row:row + 1] for key, one in people.items()}
        return loss(image[row:row + 1], text[row:row + 1], **ids, **options,
                    gathered=GatheredPairs(image, text, PEOPLE, row))

    expected = sum(weight * alone(row) for row, weight in enumerate(WEIGHTS)) / 4
    weighted = loss(image, text, **people, **options, pair_weights=WEIGHTS)
    torch.testing.assert_close(weighted, expected)
    plain = loss(image, text, **people, **options)
    assert not torch.isclose(plain, weighted)
    torch.testing.assert_close(loss(image, text, **people, **options, pair_weights=torch.ones(4)),
                               plain)
    with pytest.raises(ValueError, match=r'pair_weights must be \(4,\), got \(3,\)'):
        loss(image, text, **people, **options, pair_weights=WEIGHTS[:3])


def test_views_of_an_image_count_by_the_weight_of_its_pair():
    first, second = pairs()
    a, b = F.normalize(first, dim=1), F.normalize(second, dim=1)
    expected = 0
    for row, weight in enumerate(WEIGHTS):
        for own, others, kin in ((a[row], b, a), (b[row], a, b)):
            scores = [(own @ other / .5).exp() for other in others] + [
                (own @ other / .5).exp() for i, other in enumerate(kin) if i != row]
            expected -= weight * (scores[row] / sum(scores)).log() / 8
    torch.testing.assert_close(
        losses.simclr_loss(first, second, .5, pair_weights=WEIGHTS), expected)


def test_classes_and_transports_count_by_pairs():
    logits = pairs()
    each = [sum(F.cross_entropy(side[row:row + 1], PEOPLE[row:row + 1]) for side in logits) / 2
            for row in range(4)]
    torch.testing.assert_close(
        losses.identity_loss(*logits, PEOPLE, WEIGHTS),
        sum(weight * one for weight, one in zip(WEIGHTS, each, strict=True)) / 4)
    patches, words = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(1)).double()
    each = [losses.qc_align_loss(patches[row:row + 1], words[row:row + 1]) for row in range(4)]
    torch.testing.assert_close(
        losses.qc_align_loss(patches, words, pair_weights=WEIGHTS),
        sum(weight * one for weight, one in zip(WEIGHTS, each, strict=True)) / 4)


def test_words_count_by_the_weight_of_their_caption():
    logits, labels = pairs()[0], torch.tensor([5, 0, 2, 1])
    each = [-row.log_softmax(0)[label] for row, label in zip(logits, labels, strict=True)]
    torch.testing.assert_close(
        losses.masked_language_loss(logits, labels, WEIGHTS),
        sum(weight * one for weight, one in zip(WEIGHTS, each, strict=True)) / 4)


def test_students_and_attentions_count_by_pairs():
    one, other = pairs()
    patches = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1)).double()

    def rows(part):
        return (losses.transfer_loss(one[part], other[part], patches[0], .3),
                losses.attention_distillation_loss(one[part], other[part], patches[part], .3))

    weighted = (losses.transfer_loss(one, other, patches[0], .3, WEIGHTS),
                losses.attention_distillation_loss(one, other, patches, .3, WEIGHTS))
    alone = [rows(slice(row, row + 1)) for row in range(4)]
    for value, each in zip(weighted, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(value, sum(
            weight * loss for weight, loss in zip(WEIGHTS, each, strict=True)) / 4)


def test_patches_count_by_the_weight_of_their_image():
    generator = torch.Generator().manual_seed(1)
    predicted, targets = torch.randn(2, 4, 3, 6, generator=generator).double()
    masked = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 0]]).bool()  # unequal counts
    expected = sum(WEIGHTS[i] * (predicted[i, j] - targets[i, j]).square().mean()
                   for i, j in masked.nonzero().tolist()) / 7
    torch.testing.assert_close(losses.restoration_loss(predicted, targets, masked, WEIGHTS),
                               expected)
    with pytest.raises(ValueError, match=r'pair_weights must be \(4,\), got \(4, 1\)'):
        losses.restoration_loss(predicted, targets, masked, WEIGHTS[:, None])


def test_matches_count_by_their_weights():
    logits, there = pairs()[0][:, :2], torch.tensor([False, True])
    weighted = losses.matching_loss(logits[:2], logits[2:], there, WEIGHTS)
    each = [-logits[i].log_softmax(0)[label] for i, label in ((0, 1), (1, 1), (3, 0))]
    torch.testing.assert_close(weighted, (2 * each[0] + 0 * each[1] + 1 * each[2]) / 3)
    with pytest.raises(ValueError, match=r'pair_weights must be \(4,\), got \(3,\)'):
        losses.matching_loss(logits[:2], logits[2:], there, WEIGHTS[:3])
    image, text = pairs()
    with pytest.raises(ValueError, match=r'pair_weights must be \(4,\), got \(4, 1\)'):
        losses.blended_contrast(image, text, PEOPLE, .3, pair_weights=WEIGHTS[:, None])
