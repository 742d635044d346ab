"""Mixtures of adapters, one token and one expert at a time."""

import pytest
import torch
from torch import nn

from mmtbps.models.peft.mixture import AdapterMixture, balance_loss, collect_balance, route

WIDTH, EXPERTS, WAIST = 6, 4, 3


@pytest.fixture
def mixture():
    """A mixture whose experts do something, beside a linear layer."""
    torch.manual_seed(0)
    part = AdapterMixture(nn.Linear(WIDTH, WIDTH), WIDTH, EXPERTS, chosen=2, reduction=2).double()
    with torch.no_grad():
        for weight in part.mixture.parameters():
            weight.normal_()
        part.mixture.share.fill_(0.3)
    return part


def slowly_routed(token, own):
    """Logits of one token, and its experts with their weights."""
    logits = [(1 - own.share) * (own.input_gate[e] @ token)
              + own.share * (own.prompt_gate[e] @ own.prompt) for e in range(EXPERTS)]
    best = sorted(range(EXPERTS), key=lambda e: -logits[e].item())[:2]
    total = sum(logits[e].exp() for e in best)
    return torch.stack(logits), {e: logits[e].exp() / total for e in best}


def test_a_token_gets_the_weighted_sum_of_its_experts(mixture):
    states, own = torch.randn(3, 5, WIDTH, dtype=torch.double), mixture.mixture
    expected, used = mixture.base_layer(states), set()
    for n in range(3):
        for p in range(5):
            token = states[n, p]
            for e, weight in slowly_routed(token, own)[1].items():
                narrow = (own.down[e] @ token + own.down_bias[e]).clamp(min=0)
                expected[n, p] = expected[n, p] + weight * (own.up[e] @ narrow + own.up_bias[e])
                used.add(e)
    torch.testing.assert_close(mixture(states), expected)
    assert len(used) == EXPERTS, 'the router should not choose alike everywhere'


def test_the_balance_loss_is_that_of_its_formula(mixture):
    states = torch.randn(3, 5, WIDTH, dtype=torch.double)
    chosen, mean = [0.] * EXPERTS, [0.] * EXPERTS
    for token in states.flatten(0, 1):
        logits, experts = slowly_routed(token, mixture.mixture)
        for e in range(EXPERTS):
            chosen[e] += (e in experts) / 15
            mean[e] += (logits[e].exp() / logits.exp().sum()).item() / 15
    expected = sum(c * m for c, m in zip(chosen, mean, strict=True))
    mixture.train()(states)
    found = collect_balance(nn.ModuleList([mixture, nn.Linear(1, 1)]))
    assert found['loss_balance'].item() == pytest.approx(0.5 * expected, rel=1e-6)
    found['loss_balance'].backward()
    assert mixture.mixture.input_gate.grad.abs().max() > 0
    assert collect_balance(mixture) == {}, 'a loss is taken once'


def test_losses_are_of_training_with_gradients_only(mixture):
    states = torch.randn(1, 2, WIDTH, dtype=torch.double)
    mixture.eval()(states)
    with torch.no_grad():
        mixture.train()(states)
    assert collect_balance(mixture) == {}
    mixture.balance = 0.
    mixture(states)
    assert collect_balance(mixture) == {} == collect_balance(nn.Linear(1, 1))


def test_even_choices_have_the_least_balance_loss():
    even = torch.eye(4)
    one = torch.zeros(4, 4)
    one[:, 0] = 1
    losses = [balance_loss(20 * rows, route(rows, 1)[1]).item() for rows in (even, one)]
    assert losses == pytest.approx([0.25, 1.0], abs=1e-6)


def test_the_weights_of_a_token_sum_to_one():
    weights, picked = route(torch.randn(7, 5), chosen=3)
    assert (picked.sum(-1) == 3).all() and ((weights > 0) == picked).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(7))
