"""Every loss against plain loops: values, gradients, people who come several times."""

from functools import partial

import pytest
import slow_losses as slow
import torch

from mmtbps.models import losses as ours

PEOPLE = [4, 7, 4, 9, 7, 4]
PAIRS = dict(
    sdm=(ours.sdm_loss, slow.sdm), sdm_warm=(
        partial(ours.sdm_loss, temperature=0.3), partial(slow.sdm, temperature=0.3)),
    adaptive=(partial(ours.sdm_loss, temperature=0.2, adaptive=0.1),
              partial(slow.sdm, temperature=0.2, adaptive=0.1)),
    cmpm=(ours.cmpm_loss, slow.cmpm),
    tal=(partial(ours.triplet_alignment_loss, reduction='sum'), lambda *x: slow.tal(*x).sum()),
    tal_wide=(lambda *x: ours.triplet_alignment_loss(*x, 0.2, 0.3, 'mean'),
              lambda *x: slow.tal(*x, 0.2, 0.3).mean()),
    nitc=(lambda *x: ours.soft_label_contrastive_loss(*x, 0.2),
          lambda *x: slow.soft_label(*x, 0.2)),
    ritc=(lambda *x: ours.reverse_contrastive_loss(*x, 0.2), lambda *x: slow.reverse(*x, 0.2)),
    citc=(lambda i, t, _: ours.cyclic_loss(i, t), lambda i, t, _: slow.cyclic(i, t)),
    simclr=(lambda i, t, _: ours.simclr_loss(i, t), lambda i, t, _: slow.simclr(i, t)),
    triplet=(ours.hardest_triplet_loss, slow.hardest_triplet),
    triplet_wide=(partial(ours.hardest_triplet_loss, margin=0.9),
                  partial(slow.hardest_triplet, margin=0.9)),
    sigmoid=(lambda i, t, _: ours.sigmoid_loss(i, t, 3.0, -2.0),
             lambda i, t, _: slow.sigmoid(i, t, 3.0, -2.0)),
    identity=(ours.identity_loss, slow.identity),
    **{f'sigmoid_{kind}': (
        lambda i, t, p, kind=kind: ours.sigmoid_loss(i, t, 3.0, -2.0, p, kind),
        lambda i, t, p, kind=kind: slow.sigmoid(i, t, 3.0, -2.0, p, kind))
       for kind in ('masked', 'positive')})


def features(count=6, dims=10, seed=0, dtype=torch.double):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, dims, generator=generator, dtype=dtype)
    text = 0.2 * image + torch.randn(count, dims, generator=generator, dtype=dtype)
    return image.requires_grad_(), text.requires_grad_()


def compare(fast, reference, people=PEOPLE, seed=0, dtype=torch.double, tolerance=1e-9):
    results = []
    for loss, ids in ((fast, torch.tensor(people)), (reference, people)):
        image, text = features(len(people), seed=seed, dtype=dtype)
        value = loss(image, text, ids)
        value.backward()
        results.append((value.detach(), image.grad, text.grad))
    assert results[0][0] != 0
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('name', PAIRS)
def test_it_equals_the_loops(name, seed):
    compare(*PAIRS[name], seed=seed)


@pytest.mark.parametrize('name', PAIRS)
def test_float32_is_near(name):
    fast, _ = PAIRS[name]
    compare(fast, lambda i, t, p: fast(i.double(), t.double(), torch.tensor(p)).float(),
            dtype=torch.float32, tolerance=2e-5)


def test_rounding_leaves_the_small_gradient_of_matched_pairs():
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(6, 64, generator=generator)
    image = text + 0.5 * torch.randn(6, 64, generator=generator)
    gradients = []
    for loss, dtype, people in ((ours.sdm_loss, torch.float, torch.arange(6)),
                                (slow.sdm, torch.double, range(6))):
        inputs = [x.to(dtype, copy=True).requires_grad_() for x in (image, text)]
        loss(*inputs, people).backward()
        gradients.append(torch.cat([x.grad.double() for x in inputs]))
    single, exact = gradients
    assert 0 < exact.norm() < 1e-9 and (single - exact).norm() < 1e-4 * exact.norm()


@pytest.mark.parametrize('name', [name for name in PAIRS if name != 'identity'])
def test_half_precision_is_computed_in_full(name):
    fast, _ = PAIRS[name]
    image, text = (side.detach().bfloat16() for side in features())
    people = torch.tensor(PEOPLE)
    with torch.autocast('cpu', torch.bfloat16):
        value = fast(image, text, people)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, fast(image.float(), text.float(), people))


@pytest.mark.parametrize('name', ['sdm', 'tal', 'triplet'])
def test_one_person_alone_has_finite_gradients(name):
    """No negative anywhere: SDM is KL to an even distribution, the hinges cost nothing."""
    image, text = features(3)
    value = PAIRS[name][0](image, text, torch.tensor([5, 5, 5]))
    value.backward()
    assert torch.isfinite(image.grad).all() and torch.isfinite(text.grad).all()
    if name != 'sdm':
        assert value == 0 and not image.grad.any()


FAULTS = dict(
    mean_for_sum=('sdm', lambda *x: slow.sdm(*x) / 2),
    other_direction=('sdm_warm', lambda i, t, p: slow.soft_label(i, t, p, 0.3) * 2),
    wrong_floor=('ritc', lambda *x: slow.reverse(*x, 0.2, 1e-8)),
    own_pair_alone=('nitc', lambda i, t, p: slow.soft_label(i, t, range(len(p)), 0.2)),
    no_weights=('adaptive', lambda *x: slow.sdm(*x, 0.2)),
    sum_for_length=('cmpm', lambda i, t, p: slow.cmpm(i, t, range(len(p)))),
    mean_over_pairs=('tal', lambda *x: slow.tal(*x).mean()),
    blind_negatives=('tal_wide', lambda i, t, p: slow.tal(i, t, range(len(p)), 0.2, 0.3).mean()),
    one_kind=('simclr', lambda i, t, _: slow.simclr(i, i + 0 * t)),
    lower_margin=('triplet_wide', lambda *x: slow.hardest_triplet(*x, 0.8)))


@pytest.mark.parametrize('fault', FAULTS)
def test_a_planted_fault_is_seen(fault):
    name, wrong = FAULTS[fault]
    with pytest.raises(AssertionError):
        compare(PAIRS[name][0], wrong, tolerance=1e-5)


def test_own_labels_are_mixed_in_without_gradient():
    image, text = features()
    other = features(seed=5)
    soft = ours.soft_labels(*other, 0.3)
    by_hand = [torch.tensor([[p.item() for p in slow.softmax(row / 0.3)] for row in scores])
               for scores in (slow.matrix(*other), slow.matrix(*other[::-1]))]
    for one, expected in zip(soft, by_hand, strict=True):
        assert not one.requires_grad
        torch.testing.assert_close(one, expected.double(), rtol=1e-6, atol=1e-8)
    compare(lambda i, t, p: ours.soft_label_contrastive_loss(i, t, p, 0.2, soft, 0.3),
            lambda i, t, p: slow.soft_label(i, t, p, 0.2, soft, 0.3))
    with pytest.raises(ValueError, match='share must lie'):
        ours.soft_label_contrastive_loss(image, text, torch.tensor(PEOPLE), 0.2, soft, 1.5)


def test_tal_gives_one_loss_a_pair():
    image, text = features()
    values = ours.triplet_alignment_loss(image, text, torch.tensor(PEOPLE))
    torch.testing.assert_close(values, slow.tal(image, text, PEOPLE))
    with pytest.raises(ValueError, match="'none', 'sum', 'mean'.*'middle'"):
        ours.triplet_alignment_loss(image, text, torch.tensor(PEOPLE), reduction='middle')


def tokens(seed=0):
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(3, 6, 7, generator=generator, dtype=torch.double)
    words = torch.randn(3, 5, 7, generator=generator, dtype=torch.double) + patches[:, :5] / 2
    return patches.requires_grad_(), words.requires_grad_()


def test_qc_align_equals_the_loops():
    counts, results = [5, 2, 4], []
    mask = torch.arange(5) < torch.tensor(counts)[:, None]
    for loss in (lambda v, t: ours.qc_align_loss(v, t, mask, iterations=200),
                 lambda v, t: slow.qc_align(v, t, counts)):
        patches, words = tokens()
        value = loss(patches, words)
        value.backward()
        results.append((value.detach(), patches.grad, words.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    assert results[0][2][1, 2:].abs().max() < 1e-12  # filler has no part in it
    at_default = ours.qc_align_loss(*tokens(), mask)
    torch.testing.assert_close(at_default, results[0][0], rtol=1e-6, atol=1e-8)


def test_a_transport_plan_has_its_marginals():
    torch.manual_seed(0)
    rows, columns = torch.rand(4).softmax(0), torch.rand(6).softmax(0)
    plan = ours.sinkhorn(torch.rand(4, 6), rows, columns)
    torch.testing.assert_close(plan.sum(0), columns)
    torch.testing.assert_close(plan.sum(1), rows)
    with pytest.raises(ValueError, match='epsilon must be at least'):
        ours.sinkhorn(torch.rand(4, 6), rows, columns, epsilon=0.01)


def test_masked_words_are_averaged():
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 9), torch.tensor([1, 8, 0, 3])
    expected = -sum(slow.softmax(row)[label].log()
                    for row, label in zip(logits, labels, strict=True)) / 4
    torch.testing.assert_close(ours.masked_language_loss(logits, labels), expected)
    nothing = torch.zeros(0, 9, requires_grad=True)
    assert ours.masked_language_loss(nothing, labels[:0]) == 0


def test_what_does_not_fit_is_refused():
    image, text = features()
    people = torch.tensor(PEOPLE)
    with pytest.raises(ValueError, match=r'got \(6, 10\) and \(5, 10\)'):
        ours.sdm_loss(image, text[:5], people)
    with pytest.raises(ValueError, match=r'person_ids must be \(6,\)'):
        ours.cmpm_loss(image, text, people[:2])
    with pytest.raises(ValueError, match='temperature must be positive'):
        ours.sdm_loss(image, text, people, temperature=0)
    with pytest.raises(ValueError, match='person 9 is none of the 9 classes.*num_persons'):
        ours.identity_loss(image[:, :9], text[:, :9], people)
    with pytest.raises(ValueError, match="same_person must be one of .*'other'"):
        ours.sigmoid_loss(image, text, 1.0, 0.0, people, 'other')
    with pytest.raises(ValueError, match=r'patches and words must be'):
        ours.qc_align_loss(torch.zeros(2, 3, 4), torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match='first and second must be'):
        ours.simclr_loss(image, text[:5])
