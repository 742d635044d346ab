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
        max_iterations: steps at most.
        tolerance: stop when a step adds less than this to the mean log-likelihood.
        floor: added to each variance.

    Returns:
        ``(N,)`` posterior of the component of lower mean.

    Example:
        >>> mixture_posterior(torch.tensor([0., .1, .05, .9, 1.])).round().tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0]
    """
    values = values.double()
    share = _two_clusters(values)
    bound = -math.inf
    for _ in range(max_iterations):
        count = share.sum(1) + 10 * torch.finfo(values.dtype).eps
        mean = (share @ values) / count
        variance = (share * (values - mean[:, None]).square()).sum(1) / count + floor
        log_joint = ((count / len(values)).log()[:, None] - (2 * math.pi * variance).log()[:, None]
                     / 2 - (values - mean[:, None]).square() / (2 * variance[:, None]))
        evidence = log_joint.logsumexp(0)
        share = (log_joint - evidence).exp()
        last, bound = bound, evidence.mean().item()
        if abs(bound - last) < tolerance:
            break
    return share[mean.argmin()]


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
    noisy.

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
    posterior = mixture_posterior((losses - low) / (high - low).clamp(min=1e-12), **options)
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
