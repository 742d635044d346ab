"""Comparison of a new caption with the captions that a picture had."""

from collections import defaultdict
from collections.abc import Sequence

from mmtbps.lexicon import read_caption

__all__ = ['unfaithful']

#: Regions that cover each other, so that one may be called by the name of the other.
_SAME = {'upper': 'body', 'lower': 'body', 'full': 'body'}


def unfaithful(captions: Sequence[str], new: str, sees_pictures: bool = False) -> str | None:
    """Give the reason for which a new caption is not true of what the others say.

    Args:
        captions: Captions of the picture.
        new: The new caption.
        sees_pictures: It was written from the picture, so that it may say more than the captions;
            otherwise each colour of a garment must be one that they give to such a garment.

    Returns:
        The reason in words; ``None`` if there is none.

    >>> captions = ['A man in a red coat and black pants.']
    >>> unfaithful(captions, 'He wears black pants and a red coat.')
    >>> unfaithful(captions, 'He wears a black coat and red pants.')
    'black coat'
    >>> unfaithful(captions, 'He wears white shoes.'), unfaithful(
    ...     captions, 'He wears white shoes.', sees_pictures=True)
    ('white shoes', None)
    """
    reading = read_caption(new)
    if not new.strip() or any(sign in new for sign in '<>[]{}'):
        return 'no caption'  # "description]", "<image>": left over from a template
    if reading.doubt is not None:
        return reading.doubt
    by_region: dict[str | None, set[str]] = defaultdict(set)
    by_body: set[str] = set()
    for caption in captions:
        for mention in read_caption(caption).mentions:
            by_region[mention.region] |= set(mention.bases)
            if mention.region in _SAME:
                by_body |= set(mention.bases)
    for mention in reading.mentions:
        known = by_region[mention.region] | (by_body if mention.region == 'full' else set()) | (
            by_region['full'] if mention.region in _SAME else set())
        if not set(mention.bases) <= known and (known or not sees_pictures):
            return new[slice(*mention.span)]
    return None
