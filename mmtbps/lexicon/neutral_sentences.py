"""Neutral sentences: descriptions of anybody, beside which a description of somebody stands out."""

from functools import cache

from .vocabulary import read_table

__all__ = ['NEUTRAL_SENTENCES', 'neutral_sentences']

#: Sentences of the bank.
NEUTRAL_SENTENCES = 128


@cache
def neutral_sentences(count: int = NEUTRAL_SENTENCES) -> tuple[str, ...]:
    """Compose a bank of neutral sentences, always the same ones.

    Clothes, colors and what is carried take turns. The lists have lengths without a common
    divisor, so that no pair of them stays together and no sentence comes twice.

    Args:
        count: Sentences, at most as many as there are before they repeat.

    Example:
        >>> neutral_sentences()[:2]
        ('A middle-aged man in a red winter coat and black trousers, with a black backpack.', \
'A young woman wearing a white blouse over blue jeans and black boots.')
    """
    table = read_table('neutral')
    frames = table['frames']
    slots = {name: words for name, words in table.items() if name != 'frames'}
    sentences = (frames[place % len(frames)].format(
        **{name: words[place % len(words)] for name, words in slots.items()})
        for place in range(count))
    return tuple(f'{sentence[0].upper()}{sentence[1:]}.' for sentence in sentences)
