"""Short captions: some of the things that a caption names, without its sentences."""

import numpy as np

from .attribute_reading import AttributeReading, WornItem, read_attributes
from .people import person_noun
from .vocabulary import garments, indefinite_article

__all__ = ['named_things', 'shorten']

# A bag is carried; a coat that is not worn may hang on a chair, or be another person's.
_CARRIED = ('bag', 'accessory')


def named_things(caption: str) -> list[str]:
    """List what a person wears or carries in a caption, in the caption's words, with articles.

    Nothing is listed of a caption that `mmtbps.lexicon.read_caption` doubts.

    Example:
        >>> named_things('A man in a striped red shirt; his jeans are blue. He has no hat.')
        ['a striped red shirt', 'blue jeans']
    """
    reading = read_attributes(caption)
    if reading.reading.doubt is not None:
        return []
    return list(dict.fromkeys(_phrase(caption, reading, item) for item in reading.items
                              if item.garment.doubt is None
                              or item.garment.doubt == 'not worn'
                              and item.garment.region in _CARRIED))


def shorten(caption: str, rng: np.random.Generator) -> str | None:
    """Write a caption of one thing up to all that a caption names; ``None`` if it names none.

    Args:
        caption: The long one.
        rng: Source of every choice: which things, their order, the person before or after them.

    Example:
        >>> caption = 'A man is wearing a red coat along with blue jeans.'
        >>> [shorten(caption, np.random.default_rng(seed)) for seed in (1, 2, 8)]
        ['A red coat and blue jeans, a man.', 'A man, a red coat.', 'Blue jeans, a man.']
    """
    things = named_things(caption)
    if not things:
        return None
    chosen = [things[i] for i in rng.permutation(len(things))[:rng.integers(len(things)) + 1]]
    listed = ' and '.join(filter(None, [', '.join(chosen[:-1]), chosen[-1]]))
    who = person_noun(read_attributes(caption).words) or 'person'
    who = f'{indefinite_article(who)} {who}'
    text = ', '.join([who, listed] if rng.random() < .5 else [listed, who])
    return text[0].upper() + text[1:] + '.'


def _phrase(caption: str, reading: AttributeReading, item: WornItem) -> str:
    """Write a thing with its color before it, and its article."""
    words, mention = reading.words, item.garment.mention
    text = caption[words[item.first].start:words[item.last - 1].end]
    if mention is not None and mention.predicative:
        text = f'{caption[slice(*mention.color)]} {text}'
    text, entry = text.lower(), garments()[item.garment.noun]
    single = not item.plural and entry.article is not None
    return f'{indefinite_article(text)} {text}' if single else text
