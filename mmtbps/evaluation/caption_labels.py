"""Labels of phrases that captions give: of which pictures a phrase is said, or its contrary."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from mmtbps.lexicon import AskedPhrase, opposites_of, read_sentence
from mmtbps.lexicon.attributes import family_of
from mmtbps.lexicon.color_distance import colors_beside, has_a_base
from mmtbps.lexicon.partial_captions import called
from mmtbps.lexicon.stated_facts import is_narrowed

__all__ = ['PhraseLabels', 'label_phrases']


class PhraseLabels(NamedTuple):
    """Pictures of which it is known whether a phrase holds.

    Args:
        phrase: The phrase.
        places: ``(K,)`` of the pictures.
        holds: ``(K,)`` bool.
    """

    phrase: AskedPhrase
    places: np.ndarray
    holds: np.ndarray


def label_phrases(captions: Sequence[str], owners: np.ndarray, pictures: int,
                  least: int = 5) -> list[PhraseLabels]:
    """Read labels of phrases out of captions.

    A phrase holds of a picture if a caption says it, and does not if one says its contrary: another
    color of the same garment, the other gender, short hair for long, or that it is not so. Of what
    one can do without, such as bags and hats, captions say no more than that it is there; here it
    is absent where no caption of the picture speaks of it. People leave things out, so some of
    these are wrong, and bounds that are fitted on them come out too careful. A backpack is a bag,
    too, and who carries "a bag" may carry a backpack. Of a thing in a color the contrary is also
    the same thing in another.

    Args:
        captions: Q sentences.
        owners: ``(Q,)`` places of their pictures.
        pictures: N, how many there are.
        least: A phrase that fewer pictures have, or lack, is left out.

    Example:
        >>> labels = label_phrases(['a man in a red coat', 'a woman in a blue coat', 'a man'],
        ...                        np.arange(3), 3, least=1)
        >>> [(str(one.phrase), one.places.tolist(), one.holds.tolist()) for one in labels]
        ... # doctest: +NORMALIZE_WHITESPACE
        [('man', [0, 1, 2], [True, False, True]), ('red coat', [0, 1], [True, False]),
         ('woman', [0, 1, 2], [False, True, False]), ('blue coat', [0, 1], [False, True])]
    """
    said: list[list[AskedPhrase]] = [[] for _ in range(pictures)]
    for caption, owner in zip(captions, owners, strict=True):
        reading = read_sentence(caption)
        said[int(owner)] += [phrase for phrase in reading.phrases
                             if not (phrase.negated and is_narrowed(phrase, reading))]
    asked: dict[tuple, AskedPhrase] = {}
    true = [{_key(one): one for phrase in found if not phrase.negated
             for one in _asked_alone(phrase) if opposites_of(one)} for found in said]
    counts = Counter(key for affirmed in true for key in affirmed)
    for affirmed in true:
        for key, one in affirmed.items():
            if key not in asked or len(one.text) < len(asked[key].text):
                asked[key] = one
    labels = [_label(asked[key], key, said, true) for key, count in counts.items()
              if count >= least]
    return [one for one in labels if min((~one.holds).sum(), one.holds.sum()) >= least]


def _asked_alone(phrase: AskedPhrase) -> list[AskedPhrase]:
    """List a phrase; of an accessory the thing in its color, alone, and by a wider name."""
    if phrase.kind != 'accessory':
        return [phrase]
    colored = phrase._replace(pattern='', modifiers='', stuff='')
    bare = colored._replace(color='', bases=())
    wide = [called(bare, name) for name in sorted(_wider(phrase.name))[:1]]
    return [one._replace(text=one.in_words())
            for one in (*([colored] if phrase.bases else []), bare, *wide)]


def _wider(name: str) -> frozenset[str]:
    """List the other names that a thing may be called by: a backpack a bag."""
    family = family_of(name)
    return frozenset() if family is None else family.fits_all - {name}


def _label(phrase: AskedPhrase, key: tuple, said: Sequence[Sequence[AskedPhrase]],
           true: Sequence[Collection[tuple]]) -> PhraseLabels:
    opposites = {text.lower() for text in opposites_of(phrase)}
    places, holds = [], []
    for place, found in enumerate(said):
        has = key in true[place]
        lacks = _lacks(phrase, key, found, opposites)
        if has != lacks:  # both: captions that disagree
            places.append(place)
            holds.append(has)
    return PhraseLabels(phrase, np.array(places, int), np.array(holds, bool))


def _lacks(phrase: AskedPhrase, key: tuple, found: Sequence[AskedPhrase],
           opposites: set[str]) -> bool:
    if not found:
        return False
    if any(_key(one) == key and one.negated for one in found):
        return True
    affirmed = [one for one in found if not one.negated]
    same = [one for one in affirmed if one.name == phrase.name]
    if phrase.kind == 'accessory' and not (same and phrase.bases):
        return _has_none(phrase.name, affirmed)
    if phrase.bases:
        others = [one for one in same if one.bases]
        return bool(others) and all(_apart(one, phrase) for one in others)
    return any(one.text.lower() in opposites for one in affirmed)


def _apart(one: AskedPhrase, other: AskedPhrase) -> bool:
    """Tell whether neither color may be called the other; cream may be called white or beige."""
    return all(set(a.bases).isdisjoint({*b.bases, *colors_beside(b.color.lower())})
               for a, b in ((one, other), (other, one)))


def _has_none(name: str, affirmed: Sequence[AskedPhrase]) -> bool:
    """Tell whether nobody speaks of a thing, or of what it may be called."""
    wider = _wider(name)
    return not any(one.name == name or one.name in wider or name in _wider(one.name)
                   for one in affirmed)


def _key(phrase: AskedPhrase) -> tuple:
    """Return what two wordings of the same phrase share."""
    color = phrase.bases if has_a_base(phrase.color.lower()) else (phrase.color.lower(), )
    if phrase.kind == 'accessory':
        return phrase.kind, phrase.name, color
    if phrase.kind == 'clothing':
        return phrase.kind, phrase.name, color, phrase.pattern
    return phrase.kind, phrase.text.lower()
