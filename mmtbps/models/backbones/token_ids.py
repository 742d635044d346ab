"""Token ids on their way into a text tower."""

import torch
from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['check_token_ids']


def check_token_ids(input_ids: Tensor, vocabulary: int) -> None:
    """Check that ids are places of a vocabulary, where it costs nothing.

    On a device the CPU would have to wait for the answer, and an exported or compiled graph cannot
    ask what its input holds.

    Args:
        input_ids: ``(N, L)``.
        vocabulary: number of its entries.

    Raises:
        BadValue: an id is outside the vocabulary.

    Example:
        >>> check_token_ids(torch.tensor([[0, 9]]), 10)
    """
    if torch.compiler.is_compiling() or input_ids.device.type != 'cpu' or not input_ids.numel():
        return
    least, largest = (int(value) for value in torch.aminmax(input_ids))
    if least < 0 or largest >= vocabulary:
        raise BadValue(
            f'token id {least if least < 0 else largest} is outside the text backbone\'s '
            f'vocabulary of {vocabulary}; the tokenizer and the backbone do not belong together')
