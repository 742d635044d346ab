"""Division of pairs into clean and noisy ones by their losses."""

import math

import torch
from torch import Tensor

__all__ = ['clean_pairs', 'consensus_weights', 'mixture_posterior']


def mixture_posterior(values: Tensor, max_iterations: int = 10, tolerance: float = 1e-2,
                      floor: float = 5e-4) -> Tensor:
    """Fit two normal distributions and compute the share of the lower one in each value.

    Expectation maximisation in double precision. It starts from the two clusters of k-means, whose
    centres start at the least and the largest value, so that it draws no random number.

    Args:
        values: ``(N,)``.
        max_iterations: steps at most, as scikit-learn counts them.
        tolerance: stop when a step adds less than this to the mean log-likelihood.
        floor: added to each variance.

    Returns:
        ``(N,)`` posterior of the component of lower mean.

    Example:
        >>> mixture_posterior(torch.tensor([0., .1, .05, .9, 1.])).round().tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0]
    """
    values = values.double()
    parameters, bound = _maximise(_two_clusters(values), values, floor), -math.inf
    for _ in range(max_iterations):
        last = bound
        share, bound = _expect(parameters, values)
        parameters = _maximise(share, values, floor)
        if abs(bound - last) < tolerance:
            break
    return _expect(parameters, values)[0][parameters[1].argmin()]


def _maximise(share: Tensor, values: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Compute weight, mean and variance of each component from its shares ``(2, N)``."""
    count = share.sum(1) + 10 * torch.finfo(values.dtype).eps
    mean = (share @ values) / count
    spread = (share * (values - mean[:, None]).square()).sum(1)
    return count / len(values), mean, spread / count + floor


def _expect(parameters: tuple[Tensor, Tensor, Tensor], values: Tensor) -> tuple[Tensor, float]:
    """Compute the share ``(2, N)`` of each component, and the mean log-likelihood."""
    weight, mean, variance = (part[:, None] for part in parameters)
    log_joint = (weight.log() - (2 * math.pi * variance).log() / 2
                 - (values - mean).square() / (2 * variance))
    evidence = log_joint.logsumexp(0)
    return (log_joint - evidence).exp(), evidence.mean().item()


def _two_clusters(values: Tensor) -> Tensor:
    """Divide values by k-means into two, ``(2, N)`` of 0 and 1."""
    low, high = values.min(), values.max()
    for _ in range(100):
        upper = (values - high).abs() < (values - low).abs()
        if not upper.any() or upper.all():
            break
        centres = values[~upper].mean(), values[upper].mean()
        if centres == (low, high):
            break
        low, high = centres
    return torch.stack([~upper, upper]).to(values.dtype)


def clean_pairs(losses: Tensor, **options) -> Tensor:
    """Tell clean pairs from noisy ones by their losses.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, section 3.3: losses are scaled to [0, 1]; a pair is clean if
    it belongs to the component of lower loss. Where all do, the 1 / 100 of lowest posterior are
    noisy. Losses that are all equal divide nothing: every pair is clean.

    Args:
        losses: ``(N,)`` one a pair.
        **options: of :func:`mixture_posterior`.

    Returns:
        ``(N,)`` bool.

    Example:
        >>> clean_pairs(torch.tensor([1., 2., 1.5, 20., 22.])).tolist()
        [True, True, True, False, False]
    """
    low, high = losses.min(), losses.max()
    if low == high:
        return torch.ones_like(losses, dtype=torch.bool)
    posterior = mixture_posterior((losses - low) / (high - low), **options)
    threshold = 0.5
    if posterior.min() > threshold:
        threshold = posterior.sort().values[len(posterior) // 100]
    return posterior > threshold


def consensus_weights(votes: Tensor, generator: torch.Generator) -> Tensor:
    """Turn the votes of several divisions into a weight of each pair.

    Args:
        votes: ``(V, N)`` bool, each row one division, True for clean.
        generator: decides where the votes differ.

    Returns:
        ``(N,)`` float: 1 where all say clean, 0 where all say noisy, else 0 or 1 by a fair coin.

    Example:
        >>> votes = torch.tensor([[True, False], [True, False]])
        >>> consensus_weights(votes, torch.Generator()).tolist()
        [1.0, 0.0]
    """
    coin = torch.rand(votes.shape[1], generator=generator) < 0.5
    agreed = votes.all(0) | ~votes.any(0)
    return torch.where(agreed, votes.all(0), coin).float()
