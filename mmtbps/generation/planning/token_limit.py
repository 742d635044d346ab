"""Length of captions in tokens of the text encoder that is to read them."""

from collections.abc import Callable

from mmtbps.errors import MissingFile
from mmtbps.pretrained import resolve_pretrained

__all__ = ['token_counter']


def token_counter(tokenizer: str) -> Callable[[str], int]:
    """Make a count of the tokens of a caption, special ones included.

    Args:
        tokenizer: Folder or hub name of a tokenizer, or of a diffusion model that has it in its
            folder ``tokenizer``.

    Raises:
        MissingFile: If there is none.
    """
    name = resolve_pretrained(tokenizer)
    from transformers import AutoTokenizer
    try:
        try:  # a diffusion model first: at its top there is nothing a tokenizer is made of
            loaded = AutoTokenizer.from_pretrained(name, subfolder='tokenizer')
        except (OSError, ValueError):
            loaded = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise MissingFile(
            f'{name}: no tokenizer in such a folder, nor one that the Hugging Face hub or its '
            'cache gives. With a network: `hf download`, then name its folder; or plan without '
            'checking lengths: generation.planner.tokenizer=None') from error
    return lambda caption: len(loaded(caption)['input_ids'])
