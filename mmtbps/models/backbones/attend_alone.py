"""Attention of a token that reads one other alone, beside what every token reads."""

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ['attend_alone']


def attend_alone(attend: Callable[..., Tensor], query: Tensor, key: Tensor,
                 value: Tensor) -> Tensor:
    """Compute what a token reads that attends to one other alone, for each of them.

    That is the value of the other. Where a module takes the place of the attention's function, as
    a learned prefix does, the token attends to what this adds, too.

    Args:
        attend: ``scaled_dot_product_attention``, or the module.
        query: ``(N, heads, 1, d)`` of the token that reads.
        key: ``(N, heads, P, d)``.
        value: ``(N, heads, P, d)``.

    Returns:
        ``(N, heads, P, d)``.

    Example:
        >>> import torch
        >>> from torch.nn.functional import scaled_dot_product_attention
        >>> states = torch.randn(1, 2, 3, 4)
        >>> alone = attend_alone(scaled_dot_product_attention, states[:, :, :1], states, states)
        >>> torch.equal(alone, states)
        True
    """
    if not isinstance(attend, nn.Module):
        return value  # a softmax over one is 1
    rows = [states.expand_as(key).transpose(1, 2).flatten(0, 1)[:, :, None]
            for states in (query, key, value)]
    return attend(*rows)[:, :, 0].unflatten(0, (key.shape[0], key.shape[2])).transpose(1, 2)
