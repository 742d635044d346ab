"""Labels of phrases that captions give: of which pictures a phrase is said, or its contrary."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmtbps.lexicon import AskedPhrase, opposites_of, read_sentence
from mmtbps.lexicon.attributes import family_of, type_names, write_type
from mmtbps.lexicon.stated_facts import StatedFacts, asked_facts, stated_facts

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
    too, and who carries "a bag" may carry a backpack.

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
    facts: list[list[StatedFacts]] = [[] for _ in range(pictures)]
    for caption, owner in zip(captions, owners, strict=True):
        said[int(owner)] += read_sentence(caption).phrases
        facts[int(owner)].append(stated_facts(caption))
    asked: dict[tuple, AskedPhrase] = {}
    counts: Counter = Counter()
    for found in said:
        affirmed = {_key(one): one for phrase in found if not phrase.negated
                    for one in _alone(phrase) if opposites_of(one)}
        counts.update(affirmed.keys())
        for key, one in affirmed.items():
            if key not in asked or len(one.text) < len(asked[key].text):
                asked[key] = one
    labels = [_label_thing(asked[key], facts) if asked[key].kind == 'accessory' else
              _label(asked[key], key, said) for key, count in counts.items() if count >= least]
    return [one for one in labels if min((~one.holds).sum(), one.holds.sum()) >= least]


def _alone(phrase: AskedPhrase) -> list[AskedPhrase]:
    """List a phrase; of an accessory the thing alone, and by its wider names: a bag."""
    if phrase.kind != 'accessory':
        return [phrase]
    bare = phrase._replace(color='', bases=(), pattern='', modifiers='', stuff='')
    family, written = family_of(phrase.name), type_names().get(phrase.noun.lower())
    wider = sorted(family.fits_all - {phrase.name})[:1] if family else []
    plural = written is not None and written.plural
    return [one._replace(text=one.in_words()) for one in (bare, *(
        bare._replace(name=name, noun=write_type(name, plural).type) for name in wider))]


def _label_thing(phrase: AskedPhrase, facts: Sequence[Sequence[StatedFacts]]) -> PhraseLabels:
    """Label what one can do without: there if a caption says so, absent if all are silent."""
    fact, places, holds = asked_facts(phrase)[0], [], []
    for place, found in enumerate(facts):
        has = any(fact in known.true for known in found)
        lacks = any(fact in known.false for known in found) or bool(found) and all(
            fact in known.unnamed for known in found)
        if has != lacks:
            places.append(place)
            holds.append(has)
    return PhraseLabels(phrase, np.array(places, int), np.array(holds, bool))


def _label(phrase: AskedPhrase, key: tuple, said: Sequence[Sequence[AskedPhrase]]) -> PhraseLabels:
    opposites = {text.lower() for text in opposites_of(phrase)}
    places, holds = [], []
    for place, found in enumerate(said):
        has = any(_key(one) == key and not one.negated for one in found)
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
    if phrase.kind == 'clothing' and phrase.bases:
        others = [one for one in affirmed if one.name == phrase.name and one.bases]
        return bool(others) and all(set(one.bases).isdisjoint(phrase.bases) for one in others)
    return any(one.text.lower() in opposites for one in affirmed)


def _key(phrase: AskedPhrase) -> tuple:
    """Return what two wordings of the same phrase share."""
    if phrase.kind == 'accessory':
        return phrase.kind, phrase.name
    if phrase.kind == 'clothing':
        return phrase.kind, phrase.name, phrase.bases, phrase.pattern
    return phrase.kind, phrase.text.lower()
