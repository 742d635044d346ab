"""Gradient caching: large contrastive batches in the memory of a chunk."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

__all__ = ['check_chunks', 'encode_in_chunks']


def encode_in_chunks(encode: Callable[[Tensor, int, int], tuple[Tensor, ...]], inputs: Tensor,
                     chunk_size: int) -> tuple[Tensor, ...]:
    """Encode a batch a few rows at a time, for a loss over all of them.

    Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup,
    https://arxiv.org/abs/2101.06983. Only the features of a chunk outlive its forward pass. When
    the backward pass comes to a chunk, its activations are computed again, with the same random
    numbers, and freed before the next. The gradient is that of the whole batch at once; memory is
    that of one chunk, for a second forward pass. As one graph holds all chunks, distributed
    training, loss scaling and hooks see one ordinary backward pass.

    Args:
        encode: takes ``inputs``, ``start`` and ``stop`` and returns the features of these rows,
            each ``(stop - start, D)``. Must use no batch statistics and change no state.
        inputs: ``(N, ...)``; the random numbers of its device are the ones drawn again.
        chunk_size: rows encoded at once.

    Returns:
        Each feature of all rows, ``(N, D)``.

    Example:
        >>> layer, inputs = torch.nn.Linear(3, 2), torch.randn(5, 3)
        >>> features, = encode_in_chunks(lambda x, start, stop: (layer(x[start:stop]),), inputs, 2)
        >>> torch.allclose(features, layer(inputs))
        True
    """
    parts = []
    for start in range(0, len(inputs), chunk_size):
        # Weights cast by autocast are shared until then, and the gradients of all chunks would
        # be added up in half precision.
        torch.clear_autocast_cache()
        stop = min(start + chunk_size, len(inputs))
        parts.append(checkpoint(encode, inputs, start, stop, use_reentrant=False))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def check_chunks(chunk_size: int, model: nn.Module) -> None:
    """Check that a model can be run in chunks.

    Args:
        chunk_size: pairs of a chunk.
        model: whose parts say by ``needs_tokens`` that they take more than features, and by
            ``needs_whole_batch`` why they need all pairs at once.

    Raises:
        ValueError: it cannot, or the size is none.

    Example:
        >>> check_chunks(8, nn.Sequential(nn.BatchNorm1d(2)))
        Traceback (most recent call last):
        ValueError: chunk_size needs parts without batch statistics, but 0 is a BatchNorm1d; leave \
chunk_size out
    """
    if chunk_size < 1:
        raise ValueError(f'chunk_size must be positive, got {chunk_size}')
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            raise ValueError(f'chunk_size needs parts without batch statistics, but {name} is a '
                             f'{type(module).__name__}; leave chunk_size out')
        if getattr(module, 'needs_tokens', False):
            raise ValueError(f'chunk_size keeps the features of a chunk and nothing else, but '
                             f'{name}, {type(module).__name__}, needs tokens; leave chunk_size out')
        if reason := getattr(module, 'needs_whole_batch', ''):
            raise ValueError(f'chunk_size: {name}, {type(module).__name__}, {reason}; leave '
                             'chunk_size out')
