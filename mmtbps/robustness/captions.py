"""Changes of a caption: other words, fewer words, fewer things, a wrong colour."""

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.generation.planning.removals import remove_item
from mmtbps.generation.rewriting.rules import retell
from mmtbps.lexicon import color_negatives, read_attributes
from mmtbps.lexicon.color_switching import ColorSwitcher

__all__ = ['contradict_color', 'drop_attribute', 'paraphrase', 'permute_colors', 'truncate']


def paraphrase(caption: str, rng: np.random.Generator) -> str | None:
    """Tell the coloured clothes of a caption in another sentence; ``None`` if it names none.

    Says nothing new, but leaves out what has no colour or is carried, see
    `mmtbps.generation.RuleRewriter`.

    Example:
        >>> paraphrase('A man in a red coat and blue jeans.', np.random.default_rng(1))
        'Wearing a red coat and blue jeans, the man is seen.'
    """
    return retell(caption, rng, min_garments=1)


def truncate(caption: str, rng: np.random.Generator, share: float = .5) -> str | None:
    """Keep the beginning of a caption; ``None`` if that is all of it.

    Args:
        caption: sentence.
        rng: not used.
        share: of its words that stay, one at least.

    Raises:
        BadValue: the share is not between 0 and 1.

    Example:
        >>> truncate('a man in a red coat', None)
        'a man in'
    """
    if not 0 < share < 1:
        raise BadValue(f'share must lie between 0 and 1, got {share}')
    words = caption.split()
    kept = max(1, round(len(words) * share))
    return ' '.join(words[:kept]) if kept < len(words) else None


def drop_attribute(caption: str, rng: np.random.Generator) -> str | None:
    """Leave one of the things out that a person wears or carries; ``None`` if none can go.

    Example:
        >>> drop_attribute('A man in a red coat, jeans and a hat.', np.random.default_rng(0))
        'A man in a red coat and jeans.'
    """
    reading = read_attributes(caption)
    for place in rng.permutation(len(reading.items)):
        shorter = remove_item(caption, reading, reading.items[place])
        if shorter is not None:
            return shorter
    return None


def contradict_color(caption: str, rng: np.random.Generator) -> str | None:
    """Give one garment a colour that it does not have; ``None`` if none has a plain one.

    Example:
        >>> contradict_color('A man in a red coat.', np.random.default_rng(0))
        'A man in a green coat.'
    """
    edits = ColorSwitcher().switch([caption], rng)
    return edits[0].target_captions[0] if edits else None


def permute_colors(caption: str, rng: np.random.Generator) -> str | None:
    """Exchange the colours of two garments; ``None`` if no two have plain ones that differ.

    The words stay, but for articles: a model that only knows which colours and garments there are
    cannot tell the two captions apart, one that binds a colour to its garment can.

    Example:
        >>> permute_colors('A man in a red coat and blue jeans.', np.random.default_rng(0))
        'A man in a blue coat and red jeans.'
    """
    return next(iter(color_negatives.permute_colors(caption, rng, most=2)), None)
