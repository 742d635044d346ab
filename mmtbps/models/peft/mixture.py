"""Mixtures of adapters beside the feed-forward networks of a tower."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.models.backbones.weight_names import show_weights_as

from .part import TuningPart

__all__ = ['AdapterMixture', 'balance_loss', 'collect_balance', 'mix_experts', 'route']


def route(logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    """Choose the experts of each token.

    Args:
        logits: ``(..., E)`` of the router.
        chosen: experts of a token.

    Returns:
        ``(..., E)`` weights, a softmax over the largest logits and 0 elsewhere; and ``(..., E)``
        bool, True where an expert was chosen.

    Example:
        >>> weights, picked = route(torch.tensor([0., 5., 5.]), chosen=2)
        >>> weights.tolist(), picked.tolist()
        ([0.0, 0.5, 0.5], [False, True, True])
    """
    best = logits.topk(chosen, dim=-1).indices
    picked = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, best, True)
    return logits.masked_fill(~picked, float('-inf')).softmax(-1), picked


def mix_experts(states: Tensor, weights: Tensor, down: Tensor, down_bias: Tensor, up: Tensor,
                up_bias: Tensor) -> Tensor:
    """Compute the weighted sum of bottlenecks, ``sum w_e (up_e relu(down_e x))``.

    Args:
        states: ``(..., D)``.
        weights: ``(..., E)``.
        down: ``(E, R, D)``.
        down_bias: ``(E, R)``.
        up: ``(E, D, R)``.
        up_bias: ``(E, D)``.

    Returns:
        ``(..., D)``.

    Example:
        >>> one, zero = torch.ones(2, 1, 1), torch.zeros(2, 1)
        >>> mix_experts(torch.tensor([3.]), torch.tensor([1., 0.]), one, zero, one, zero).item()
        3.0
    """
    narrow = torch.einsum('...d,erd->...er', states, down) + down_bias
    narrow = narrow.relu() * weights[..., None]
    return torch.einsum('...er,edr->...d', narrow, up) + weights @ up_bias


def balance_loss(logits: Tensor, picked: Tensor) -> Tensor:
    """Compute a loss that is least where all experts are chosen equally often.

    GShard, https://arxiv.org/abs/2006.16668, section 2.2: over experts, the sum of the mean
    probability times the share of tokens that chose it.

    Args:
        logits: ``(..., E)`` of the router.
        picked: ``(..., E)`` bool.

    Example:
        >>> balance_loss(torch.zeros(2, 2), torch.tensor([[True, False], [False, True]])).item()
        0.5
    """
    probabilities = logits.float().softmax(-1).flatten(0, -2).mean(0)
    return (probabilities * picked.float().flatten(0, -2).mean(0)).sum()


class AdapterMixture(TuningPart):
    """A feed-forward network with a sparse mixture of bottlenecks beside it.

    DM-Adapter, https://arxiv.org/abs/2503.04144. What the abstract says: a sparse mixture of
    adapters in parallel to the MLP of both towers, a router with learnable domain-aware prompts,
    and a loss that balances it; what its repository is known to train: six experts of which a token
    takes two, and half of that loss. All else is our interpretation: the mixture reads what the MLP
    reads, the normed stream; logits of the router are ``(1 - a) W x + a V p`` with a prompt p of
    each layer and a learned a that begins at one half, as a project built on its code has it;
    weights are a softmax over the chosen logits; the losses of all layers are averaged.

    All experts are computed for every token, those not chosen times 0: the same value, in
    operations that compile and export.

    Args:
        base_layer: the feed-forward network.
        width: of its input, D.
        experts: number of bottlenecks, E.
        chosen: of them, for each token.
        reduction: D over the width R of a waist.
        balance: weight of the balance loss.

    Example:
        >>> mlp, states = nn.Linear(8, 8), torch.randn(2, 8)
        >>> torch.equal(AdapterMixture(mlp, 8)(states), mlp(states))
        True
    """

    title = 'mixtures of adapters'

    def __init__(self, base_layer: nn.Module, width: int, experts: int = 6, chosen: int = 2,
                 reduction: int = 8, balance: float = 0.5):
        super().__init__()
        self.base_layer = base_layer
        self.chosen, self.balance, self._loss = chosen, balance, None
        self.mixture = nn.Module()
        waist, bound = width // reduction, 1 / math.sqrt(width)
        for name, weight in dict(
                down=torch.empty(experts, waist, width).uniform_(-bound, bound),
                down_bias=torch.zeros(experts, waist), up=torch.zeros(experts, width, waist),
                up_bias=torch.zeros(experts, width), share=torch.tensor(0.5),
                prompt=torch.empty(width).normal_(std=0.02),
                input_gate=torch.empty(experts, width).uniform_(-bound, bound),
                prompt_gate=torch.empty(experts, width).uniform_(-bound, bound)).items():
            self.mixture.register_parameter(name, nn.Parameter(weight))
        show_weights_as(self, 'base_layer', '')

    def forward(self, states: Tensor, **options: Any) -> Tensor:
        """Compute the network of ``(..., D)`` states, and what the mixture adds."""
        own = self.mixture
        logits = ((1 - own.share) * (states @ own.input_gate.T.to(states.dtype))
                  + own.share * (own.prompt_gate @ own.prompt)).to(states.dtype)
        weights, picked = route(logits, self.chosen)
        if self.training and torch.is_grad_enabled():
            self._loss = balance_loss(logits, picked)
        return self.base_layer(states, **options) + mix_experts(
            states, weights, own.down, own.down_bias, own.up, own.up_bias)

    @property
    def needs_whole_batch(self) -> str:
        """Reason why chunks of a batch will not do; empty if they will."""
        return 'balances the experts of a whole batch unless balance=0' if self.balance else ''

    def take_loss(self) -> Tensor | None:
        """Return the balance loss of the last batch, once."""
        loss, self._loss = self._loss, None
        return loss

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and pickles, without the graph of a loss."""
        return {**self.__dict__, '_loss': None}


def collect_balance(model: nn.Module) -> dict[str, Tensor]:
    """Collect the balance losses of the mixtures of a model, averaged; empty if it has none."""
    mixtures = [part for part in model.modules() if isinstance(part, AdapterMixture)]
    losses = [(part.balance, part.take_loss()) for part in mixtures]
    losses = [weight * loss for weight, loss in losses if weight and loss is not None]
    return dict(loss_balance=torch.stack(losses).mean()) if losses else {}
