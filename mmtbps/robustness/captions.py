"""Changes of a caption: other words, fewer words, fewer things, a wrong colour."""

from itertools import combinations

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.generation.planning.caption_edits import ColorSwitcher, color_distance
from mmtbps.generation.planning.edit_spans import certain_mentions, is_plain
from mmtbps.generation.planning.removals import remove_item
from mmtbps.generation.rewriting.rules import retell
from mmtbps.lexicon import (
    ColorMention,
    article_edit,
    find_color_mentions,
    garment_name,
    read_attributes,
    read_caption,
    split_words,
    with_case_of,
)

__all__ = ['contradict_color', 'drop_attribute', 'paraphrase', 'permute_colors', 'truncate']

#: CIE Lab distance below which two colours may be taken for each other.
_FAR_APART = 30.


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
    mentions = [mention for mention in certain_mentions(read_caption(caption))
                if len(mention.bases) == 1 and is_plain(caption, mention)]
    # Another mention of the same garment would say what the new one denies.
    named = [mention.noun and garment_name(mention.noun)
             for mention in find_color_mentions(caption)]
    pairs = [(one, other) for one, other in combinations(mentions, 2)
             if named.count(garment_name(one.noun)) == named.count(garment_name(other.noun)) == 1
             and color_distance(one.bases[0], other.bases[0]) >= _FAR_APART]
    for place in rng.permutation(len(pairs)):
        if (new := _exchange(caption, *pairs[place])) is not None:
            return new
    return None


def _exchange(caption: str, first: ColorMention, second: ColorMention) -> str | None:
    """Exchange two colours; ``None`` where the new sentence would read otherwise."""
    words, edits = split_words(caption), []
    for here, there in ((first, second), (second, first)):
        new = caption[slice(*there.color)].lower()
        place = next(i for i, word in enumerate(words) if word.start == here.color[0])
        article = article_edit(caption, words, place, new)
        edits += [article] if article else []
        edits.append((*here.color, with_case_of(caption[slice(*here.color)], new)))
    text = caption
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    bases = {first.color: second.bases, second.color: first.bases}
    expected = [(one.noun, bases.get(one.color, one.bases))
                for one in find_color_mentions(caption)]
    found = [(one.noun, one.bases) for one in find_color_mentions(text)]
    return text if found == expected else None
