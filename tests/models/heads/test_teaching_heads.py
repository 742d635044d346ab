"""Heads with a teacher of their own, fused or of prototypes, against loops."""

import math

import pytest
import slow_losses as slow
import torch

from mmtbps.models import FusionTeacherHead, Pairs, PrototypeAttentionHead
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import attention_distillation_loss, move_prototypes, transfer_loss

PEOPLE, DIMS, HEADS = [2, 0, 2, 3], 8, 2


def batch():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(4, 6, DIMS, generator=generator, dtype=torch.double)
    text = torch.randn(4, DIMS, generator=generator, dtype=torch.double)
    return tokens.requires_grad_(), text.requires_grad_()


def pairs_of(tokens, text):
    return Pairs(EncodedSide({'global': tokens[:, 0]}, None, lambda: tokens),
                 EncodedSide({'global': text}), torch.tensor(PEOPLE))


def divergence(taught, own):
    """KL of two rows of logits, the first without gradient."""
    taught = [p.detach() for p in slow.softmax(taught)]
    return sum(p * (p.log() - q.log()) for p, q in zip(taught, slow.softmax(own), strict=True))


def transfer(teacher, student, candidates, temperature):
    return sum(divergence(a / temperature, b / temperature) for a, b in zip(
        slow.matrix(teacher, candidates), slow.matrix(student, candidates), strict=True)) / len(
            teacher)


def test_a_student_is_drawn_to_the_ranking_of_its_teacher():
    torch.manual_seed(1)
    teacher, student, candidates = (torch.randn(3, 5).double().requires_grad_() for _ in range(3))
    value = transfer_loss(teacher, student, candidates, 0.3)
    expected = transfer(teacher, student, candidates, 0.3)
    torch.testing.assert_close(value, expected)
    value.backward()
    assert teacher.grad is None
    first = student.grad, candidates.grad
    second = torch.autograd.grad(expected, (student, candidates))
    torch.testing.assert_close(first, second)
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        transfer_loss(teacher, student, candidates, 0)
    with pytest.raises(ValueError, match=r'got \(3, 5\), \(2, 5\) and \(3, 5\)'):
        transfer_loss(teacher, student[:2], candidates)


def norm(states, layer):
    states = (states - states.mean()) / (states.var(unbiased=False) + 1e-5).sqrt()
    return states * layer.weight + layer.bias


def slow_fuse(head, image, text, tokens):
    """One pair, one token, one head of the attention at a time."""
    first, _, last = head.gate
    gated = []
    for token in tokens:
        hidden = (first.weight @ torch.cat([token, image]) + first.bias).clamp(min=0)
        gate = 1 / (1 + (-(last.weight @ hidden + last.bias)).exp())
        gated.append(norm(gate * token, head.ln_image))
    weight, bias = head.cross_attn.in_proj_weight, head.cross_attn.in_proj_bias
    query = weight[:DIMS] @ norm(text, head.ln_text) + bias[:DIMS]
    keys = [weight[DIMS:2 * DIMS] @ token + bias[DIMS:2 * DIMS] for token in gated]
    values = [weight[2 * DIMS:] @ token + bias[2 * DIMS:] for token in gated]
    read, width = [], DIMS // HEADS
    for h in range(HEADS):
        part = slice(h * width, (h + 1) * width)
        shares = slow.softmax(torch.stack([query[part] @ key[part] / math.sqrt(width)
                                           for key in keys]))
        read.append(sum(share * value[part] for share, value in zip(shares, values, strict=True)))
    out = head.cross_attn.out_proj
    return norm(text + out.weight @ torch.cat(read) + out.bias, head.ln_fused)


def test_the_fused_teacher_equals_the_loops():
    torch.manual_seed(2)
    head = FusionTeacherHead(DIMS, HEADS, temperature=0.2, transfer_weight=0.5,
                             loss_weight=2.0).double()
    with torch.no_grad():
        for parameter in head.parameters():  # norms and biases too
            parameter.add_(0.2 * torch.randn_like(parameter))
    tokens, text = batch()
    losses = head(pairs_of(tokens, text), [])
    fused = torch.stack([slow_fuse(head, *rows) for rows in zip(tokens[:, 0], text, tokens,
                                                                strict=True)])
    image = tokens[:, 0]
    expected = dict(
        loss_fusion=2 * (slow.sdm(fused, image, PEOPLE, 0.2) + slow.sdm(fused, text, PEOPLE, 0.2)),
        loss_transfer=transfer(fused, text, image, 0.2) + transfer(fused, image, text, 0.2))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-6, atol=1e-8)
        first = torch.autograd.grad(losses[name], (tokens, text), retain_graph=True)
        second = torch.autograd.grad(value, (tokens, text), retain_graph=True)
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-7)
    assert head.gate[0].weight.grad is None
    losses['loss_transfer'].backward()  # which teaches the sides alone
    assert all(parameter.grad is None for parameter in head.parameters())


def slow_move(prototypes, seen, features, rate):
    new = prototypes.clone()
    for person in set(PEOPLE):
        mine = [f / f.norm() for f, p in zip(features, PEOPLE, strict=True) if p == person]
        target = sum(mine) / sum(mine).norm()
        if not seen[person]:
            new[person] = target
            continue
        share = min(1, rate * float(1 - target @ prototypes[person]))
        moved = share * target + (1 - share) * prototypes[person]
        new[person] = moved / moved.norm()
    return new


@pytest.mark.parametrize('rate', [0.3, 5.0])
def test_prototypes_take_more_of_what_is_further(rate):
    _, text = batch()
    text = text.detach()
    prototypes = torch.nn.functional.normalize(
        text[[0, 2, 1, 3, 0]] + 0.8 * torch.randn(
            5, DIMS, generator=torch.Generator().manual_seed(3), dtype=torch.double))
    seen = torch.tensor([True, True, True, False, False])
    new, now_seen = move_prototypes(prototypes, seen, 3 * text, torch.tensor(PEOPLE), rate)
    torch.testing.assert_close(new, slow_move(prototypes, seen, text, rate))
    assert torch.equal(new[1], prototypes[1]) or torch.allclose(new[1], prototypes[1])
    assert now_seen.tolist() == [True, True, True, True, False]


def test_the_attention_is_drawn_to_that_of_the_prototype():
    tokens, text = batch()
    head = PrototypeAttentionHead(num_classes=5, dims=DIMS, temperature=0.3, rate=0.5,
                                  loss_weight=2.0).double()
    torch.manual_seed(4)
    known = torch.nn.functional.normalize(torch.randn(5, DIMS).double())
    head.prototypes.copy_(known)
    head.seen[[0, 2]] = True
    value = head(pairs_of(tokens, text), [])['loss_prototype']
    prototypes = slow_move(known, [True, False, True, False, False], text.detach(), 0.5)
    torch.testing.assert_close(head.prototypes, prototypes)
    assert head.seen.tolist() == [True, False, True, True, False]
    expected = 0
    for row, person in enumerate(PEOPLE):
        patches = tokens[row, 1:]
        logits = [torch.stack([slow.cosine(query, patch) / 0.3 for patch in patches])
                  for query in (prototypes[person], tokens[row, 0])]
        expected = expected + 2 * divergence(*logits) / 4
    torch.testing.assert_close(value, expected)
    first, = torch.autograd.grad(value, tokens)
    second, = torch.autograd.grad(expected, tokens)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize('extra', [0, 2])
def test_patches_are_those_of_the_grid_whatever_stands_before(extra):
    tokens, text = batch()
    losses = []
    for first in (extra, 1):  # and as if the tower had one class token
        head = PrototypeAttentionHead(num_classes=5, dims=DIMS).double()
        image = EncodedSide({'global': text.sin()}, None, lambda first=first: torch.cat(
            [torch.ones(4, first, DIMS).double(), tokens], dim=1), grid=(3, 2))
        losses.append(head(Pairs(image, EncodedSide({'global': text}), torch.tensor(PEOPLE)),
                           [])['loss_prototype'])
    torch.testing.assert_close(*losses)


def test_prototypes_stay_in_evaluation_and_are_kept_in_checkpoints():
    tokens, text = batch()
    head = PrototypeAttentionHead(num_classes=5, dims=DIMS).double().eval()
    head(pairs_of(tokens, text), [])
    assert not head.seen.any() and set(head.state_dict()) == {'prototypes', 'seen'}


@pytest.mark.parametrize('build', [
    lambda: FusionTeacherHead(9, 2), lambda: FusionTeacherHead(8, temperature=0),
    lambda: FusionTeacherHead(8, transfer_weight=-1), lambda: PrototypeAttentionHead(0),
    lambda: PrototypeAttentionHead(3, rate=0), lambda: PrototypeAttentionHead(3, temperature=0)])
def test_bad_options_are_refused(build):
    with pytest.raises(ValueError, match='got'):
        build()


def test_shapes_and_people_are_checked():
    tokens, text = batch()
    with pytest.raises(ValueError, match=r'got \(4, 8\), \(4, 8\) and \(4, 8, 6\)'):
        attention_distillation_loss(text, text, tokens.mT)
    head = PrototypeAttentionHead(num_classes=3, dims=DIMS).double()
    samples = [type('Sample', (), dict(person_id=person)) for person in PEOPLE]
    with pytest.raises(ValueError, match='person 3 is none of the 3 classes'):
        head(pairs_of(tokens, text), samples)
