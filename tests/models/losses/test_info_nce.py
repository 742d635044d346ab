"""InfoNCE against a slow reference in plain Python numbers."""

import math

import pytest
import torch

from mmtbps.models.losses import info_nce


def reference(image, text, temperature, ids, same_person):
    """The definition, one logarithm at a time, in float64."""
    def direction(a, b):
        total = 0.0
        for i in range(len(a)):
            scores = [float(a[i] @ b[j] / (a[i].norm() * b[j].norm())) / temperature
                      for j in range(len(b))]
            allowed = [j for j in range(len(b))
                       if j == i or same_person != 'masked' or ids[i] != ids[j]]
            top = max(scores[j] for j in allowed)
            log_sum = top + math.log(sum(math.exp(scores[j] - top) for j in allowed))
            targets = [j for j in range(len(b)) if ids[i] == ids[j]]
            targets = targets if same_person == 'positive' else [i]
            total -= sum(scores[j] - log_sum for j in targets) / len(targets)
        return total / len(a)
    return (direction(image, text) + direction(text, image)) / 2


@pytest.mark.parametrize('same_person', ['negative', 'masked', 'positive'])
@pytest.mark.parametrize('temperature', [0.005, 0.07, 1.0])
def test_value_equals_the_definition(same_person, temperature):
    torch.manual_seed(0)
    image, text = torch.randn(7, 5).double() * 3, torch.randn(7, 5).double()
    ids = torch.tensor([0, 1, 1, 2, 3, 3, 3])
    value = info_nce(image, text, temperature, ids, same_person)
    assert value.item() == pytest.approx(
        reference(image, text, temperature, ids.tolist(), same_person), rel=1e-10)


@pytest.mark.parametrize('same_person', ['negative', 'masked', 'positive'])
def test_gradient_equals_finite_differences(same_person):
    torch.manual_seed(1)
    image = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    text = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    ids = torch.tensor([0, 0, 1, 2])
    assert torch.autograd.gradcheck(
        lambda a, b: info_nce(a, b, 0.1, ids, same_person), (image, text))


def slow_rows(image, text, temperature, targets):
    """Cross entropy of each row of both directions with its targets, one logarithm at a time."""
    rows = []
    for a, b in ((image, text), (text, image)):
        scores = [[float(x @ y / (x.norm() * y.norm())) / temperature for y in b] for x in a]
        wanted = targets(scores)
        rows.append([-sum(q * (z - math.log(sum(map(math.exp, row)))) for q, z in zip(
            target, row, strict=True)) for target, row in zip(wanted, scores, strict=True)])
    return rows


def one_hot(scores):
    return [[float(i == j) for j in range(len(scores))] for i in range(len(scores))]


def blended(share):
    def targets(scores):
        mixed = [[share / (1 + math.exp(-z)) + (1 - share) * q for z, q in zip(*row, strict=True)]
                 for row in zip(scores, one_hot(scores), strict=True)]
        return [[value / sum(row) for value in row] for row in mixed]
    return targets


@pytest.mark.parametrize('share', [0.0, 0.005, 0.4])
def test_a_weight_acts_on_its_own_pair_alone(share):
    torch.manual_seed(5)
    image, text = torch.randn(5, 4).double(), torch.randn(5, 4).double()
    weights = torch.tensor([1.0, 0.25, 0.0, 1.0, 0.6]).double()
    forth, back = slow_rows(image, text, 0.3, blended(share))
    expected = sum(w * (a + b) / 2 for w, a, b in zip(weights, forth, back, strict=True)) / 5
    value = info_nce(image, text, 0.3, pair_weights=weights, soft_share=share)
    assert value.item() == pytest.approx(float(expected), rel=1e-10)
    halves = [info_nce(image[s:e], text[s:e], 0.3, None, 'negative', image, text, None, s,
                       weights[s:e], share) * (e - s) for s, e in ((0, 2), (2, 5))]
    assert value.item() == pytest.approx(float(sum(halves)) / 5, rel=1e-12)


def test_soft_targets_carry_no_gradient():
    torch.manual_seed(6)
    image, text = torch.randn(3, 4).double().requires_grad_(), torch.randn(3, 4).double()
    info_nce(image, text, 0.5, soft_share=0.3).backward()
    unit = torch.nn.functional.normalize
    logits = (unit(image) @ unit(text).T / 0.5).detach()
    loss = 0
    for z, s in ((logits, unit(image) @ unit(text).T / 0.5),
                 (logits.T, (unit(image) @ unit(text).T / 0.5).T)):
        target = torch.tensor(blended(0.3)(z.tolist()), dtype=torch.double)
        loss = loss - (target * s.log_softmax(1)).sum(1).mean() / 2
    expected, = torch.autograd.grad(loss, image)
    torch.testing.assert_close(image.grad, expected, rtol=1e-9, atol=1e-12)


def test_gradient_in_closed_form():
    """For unit features, dL/ds is (softmax - identity) / (N temperature), both ways."""
    torch.manual_seed(2)
    image, text = torch.nn.functional.normalize(torch.randn(2, 5, 4).double(), dim=-1)
    image.requires_grad_()
    info_nce(image, text, 0.05).backward()
    logits = (image @ text.T / 0.05).detach()
    d_similarity = (logits.softmax(1) + logits.softmax(0) - 2 * torch.eye(5)) / (2 * 5 * 0.05)
    free = d_similarity @ text
    tangent = free - (free * image).sum(1, keepdim=True) * image  # normalisation projects it
    torch.testing.assert_close(image.grad, tangent.detach(), rtol=1e-9, atol=1e-12)


def test_low_temperature_looks_at_the_hardest_negative():
    image = torch.tensor([[1.0, 0.0]], dtype=torch.double).repeat(3, 1)
    text = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.0, 1.0]], dtype=torch.double,
                        requires_grad=True)
    shares = []
    for temperature in (1.0, 0.02):
        text.grad = None
        info_nce(image[:1], text[:1], temperature, all_image=image, all_text=text).backward()
        push = text.grad.norm(dim=1)
        shares.append(float(push[1] / push[2]))
    assert shares[1] > 100 * shares[0]


def test_rows_of_a_larger_batch_add_up_to_it():
    torch.manual_seed(3)
    image, text = torch.randn(6, 4).double(), torch.randn(6, 4).double()
    ids = torch.tensor([0, 0, 1, 2, 2, 3])
    for same_person in ('negative', 'masked', 'positive'):
        whole = info_nce(image, text, 0.1, ids, same_person)
        halves = [info_nce(image[s:s + 3], text[s:s + 3], 0.1, ids[s:s + 3], same_person,
                           image, text, ids, first_row=s) for s in (0, 3)]
        assert whole.item() == pytest.approx(sum(halves).item() / 2, rel=1e-12)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_features_are_compared_in_float32(dtype):
    torch.manual_seed(4)
    image, text = torch.randn(8, 16).to(dtype), torch.randn(8, 16).to(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        value = info_nce(image, text, 0.005)
    assert value.dtype == torch.float32
    expected = reference(image.double(), text.double(), 0.005, list(range(8)), 'negative')
    assert value.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('kwargs, message', [
    (dict(temperature=0.0), 'temperature'),
    (dict(same_person='friend'), 'same_person'),
    (dict(same_person='masked'), 'person_ids'),
    (dict(text=torch.zeros(2, 3)), r'\(N, D\)'),
    (dict(pair_weights=torch.ones(2)), r'pair_weights must be \(3,\)'),
    (dict(soft_share=1.5), 'soft_share'),
    (dict(soft_share=0.1, same_person='masked', person_ids=torch.arange(3)), 'leaves some out'),
])
def test_bad_arguments_are_named(kwargs, message):
    arguments = dict(image=torch.zeros(3, 3), text=torch.zeros(3, 3)) | kwargs
    with pytest.raises(ValueError, match=message):
        info_nce(**arguments)
