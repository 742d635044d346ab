"""Optimal transport between patches and words, as a regulariser."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import full, mean_of_pairs

__all__ = ['qc_align_loss', 'sinkhorn']

_FAR = -1e4


def sinkhorn(cost: Tensor, rows: Tensor, columns: Tensor, epsilon: float = 0.5,
             iterations: int = 50) -> Tensor:
    r"""Compute the entropic optimal transport plan between two distributions.

    Sinkhorn Distances, https://arxiv.org/abs/1306.0895: the plan :math:`\Pi` of given marginals
    with the least :math:`\langle \Pi, C \rangle - \epsilon H(\Pi)`.

    Args:
        cost: ``(..., P, Q)``, a few units at most.
        rows: ``(..., P)`` marginal, not negative, of sum 1.
        columns: ``(..., Q)`` likewise.
        epsilon: weight of the entropy; at least 0.05, below which the plain iteration loses its
            numbers.
        iterations: rounds of scaling.

    Returns:
        ``(..., P, Q)``, whose columns sum up to ``columns`` exactly.

    Raises:
        ValueError: ``epsilon`` is too small, or there is no iteration.

    Example:
        >>> half = torch.full((2,), 0.5)
        >>> plan = sinkhorn(1 - torch.eye(2), half, half)
        >>> [[round(share, 2) for share in row] for row in plan.tolist()]
        [[0.44, 0.06], [0.06, 0.44]]
    """
    if epsilon < 0.05 or iterations < 1:
        raise ValueError('epsilon must be at least 0.05 and iterations at least 1, got '
                         f'{epsilon} and {iterations}')
    kernel, tiny = (-cost / epsilon).exp(), torch.finfo(cost.dtype).tiny
    right = torch.ones_like(columns)
    for _ in range(iterations):
        left = rows / torch.einsum('...pq,...q->...p', kernel, right).clamp(min=tiny)
        right = columns / torch.einsum('...pq,...p->...q', kernel, left).clamp(min=tiny)
    return left[..., None] * kernel * right[..., None, :]


def qc_align_loss(patches: Tensor, words: Tensor, word_mask: Tensor | None = None,
                  epsilon: float = 0.5, iterations: int = 50,
                  pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the cost of transporting the patches of each image to the words of its caption.

    QC-Align, a regulariser without parameters, after a description of its formulas; nobody's code
    was seen. Tokens are normalised inside. With cosines :math:`s_{nm}` of patch n and word m and
    :math:`C = 1 - s`: the patches that a word reads are
    :math:`\alpha = \mathrm{softmax}_n(\mathrm{leakyReLU}(s))`, and a word weighs :math:`w`, the
    softmax of its cosine with :math:`\sum_n \alpha_{nm} v_n`. The quota of a patch is
    :math:`\mu_n = \sum_m \alpha_{nm} w_m`, that of a word :math:`\nu_m` likewise with the sides
    exchanged. Then

    .. math:: L = \langle \Pi, C \rangle - \tfrac12 (W_{vv} + W_{tt})

    with the plan :math:`\Pi` of :func:`sinkhorn`, and :math:`W` the same cost from patches to
    patches and from words to words. Gradients go through plans and quotas.

    Args:
        patches: ``(N, P, D)`` without class token. Half precision is computed in float32.
        words: ``(N, L, D)``.
        word_mask: ``(N, L)`` bool, True where there is a word; ``None`` where all are. Each row
            needs one.
        epsilon: as in :func:`sinkhorn`.
        iterations: as in :func:`sinkhorn`.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the pairs.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> tokens = torch.eye(3)[None]
        >>> abs(qc_align_loss(tokens, tokens).item()) < 1e-6
        True
    """
    if patches.ndim != 3 or words.ndim != 3 or patches.shape[::2] != words.shape[::2]:
        raise ValueError(f'patches and words must be (N, P, D) and (N, L, D), got '
                         f'{tuple(patches.shape)} and {tuple(words.shape)}')
    if word_mask is None:
        word_mask = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
    patch_mask = torch.ones(patches.shape[:2], dtype=torch.bool, device=patches.device)
    with torch.autocast(patches.device.type, enabled=False):
        patches, words = (F.normalize(full(tokens), dim=-1) for tokens in (patches, words))
        patch_quota = _quota(patches, words, patch_mask, word_mask)
        word_quota = _quota(words, patches, word_mask, patch_mask)

        def cost(ours: Tensor, others: Tensor, our_quota: Tensor, quota: Tensor) -> Tensor:
            between = 1 - ours @ others.mT
            return (sinkhorn(between, our_quota, quota, epsilon, iterations)
                    * between).sum((1, 2))

        return mean_of_pairs(cost(patches, words, patch_quota, word_quota)
                             - cost(patches, patches, patch_quota, patch_quota) / 2
                             - cost(words, words, word_quota, word_quota) / 2, pair_weights)


def _quota(ours: Tensor, readers: Tensor, our_mask: Tensor, reader_mask: Tensor) -> Tensor:
    """Compute the share of each of our tokens in what the readers read, ``(N, P)``."""
    scores = F.leaky_relu(ours @ readers.mT).masked_fill(~our_mask[..., None], _FAR)
    alpha = scores.softmax(1)
    read = F.normalize(alpha.mT @ ours, dim=-1)
    weight = (readers * read).sum(-1).masked_fill(~reader_mask, _FAR).softmax(1)
    return torch.einsum('npm,nm->np', alpha, weight)
