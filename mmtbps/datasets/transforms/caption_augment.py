"""Approximate Text Generation: captions in other, or fewer, words."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import Word, article_edit, split_words, synonyms, with_case_of
from mmtbps.lexicon.mentions import find_color_mentions_in, protected_spans_in
from mmtbps.lexicon.negations import negations_in
from mmtbps.lexicon.phrases import find_phrases_in
from mmtbps.registry import TRANSFORMS

from .caption_change import CaptionChange

OPERATIONS = ('synonym', 'crop', 'delete')
MODES = ('protected', 'paper')

_DETERMINERS = frozenset('a an the his its their this'.split())
_TRIES = 8  # to find a change that leaves each colour with its noun
_SEPARATORS = frozenset(',;:')
_CLOSERS = frozenset(',;:.!?')


def approximate_text(caption: str, rng: np.random.Generator, *, synonym_rate: float = 0.2,
                     crop_rate: float = 0.2, delete_rate: float = 0.2, protect: bool = True,
                     operations: Sequence[str] = OPERATIONS) -> str:
    """Change a caption by one operation picked at random.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084, "approximate text generation".

    Args:
        caption: Any text; one without words comes back as it is.
        rng: Source of every random choice.
        synonym_rate: Probability that a phrase with synonyms is replaced (at least one is), in the
            same number and with the article and initial capital put right.
        crop_rate: Length of the run of words to cut out, as a fraction of all words. Where no
            free run is that long, it is as long as the longest.
        delete_rate: Probability that a free word is dropped (at least one is).
        protect: Keep the words in `mmtbps.lexicon.protected_spans` as they are, and each colour
            and negation with the noun it had: a change that reads otherwise is drawn again.
        operations: Names to pick from: ``'synonym'``, ``'crop'``, ``'delete'``.

    Returns:
        The new caption, never without a word unless ``caption`` is. It is ``caption`` itself where
        the operation finds nothing free, or its rate is 0.

    Raises:
        BadValue: If an operation is unknown or none is given, or a rate is outside [0, 1].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> approximate_text('A person is wearing a blue top.', rng, operations=['synonym'])
        'A pedestrian is wearing a blue top.'
    """
    rates = dict(synonym=synonym_rate, crop=crop_rate, delete=delete_rate)
    _check(operations, rates)
    operation = operations[int(rng.integers(len(operations)))]
    rate = rates[operation]
    words = split_words(caption)
    if rate == 0 or all(word.is_punctuation for word in words):
        return caption
    if not protect:
        return _change(caption, words, [True] * len(words), operation, rate, rng)
    meaning = _Meaning.of(caption, words)
    free = _free_words(words, meaning.protected)
    for _ in range(_TRIES):
        new = _change(caption, words, free, operation, rate, rng, whole=True)
        if new == caption or meaning.holds_in(new):
            return new
    return caption


@TRANSFORMS.register_module()
class ApproximateTextGeneration(CaptionChange):
    """Transform that changes the caption of a training item with `approximate_text`.

    Stands before `TokenizeCaption`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its caption.

    **Required keys**: ``caption`` (str). An item with ``captions`` instead, one for testing, passes
    through unchanged and takes no random number.

    **Modified keys**: ``caption``.

    Args:
        prob: Probability that the caption is changed at all.
        mode: ``'protected'`` leaves colour phrases and negations alone; ``'paper'`` treats all
            words alike.
        synonym_rate: See `approximate_text`.
        crop_rate: See `approximate_text`.
        delete_rate: See `approximate_text`.
        operations: See `approximate_text`.

    Raises:
        BadValue: If an argument is out of its range, or the item is tokenised already.

    Example:
        >>> np.random.seed(2)
        >>> transform = ApproximateTextGeneration(prob=1.0, operations=['delete'])
        >>> transform(dict(caption='A tall man walks in a red coat.'))['caption']
        'A tall man in a red coat.'
    """

    def __init__(self,
                 prob: float = 0.5,
                 mode: str = 'protected',
                 synonym_rate: float = 0.2,
                 crop_rate: float = 0.2,
                 delete_rate: float = 0.2,
                 operations: Sequence[str] = OPERATIONS) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        if mode not in MODES:
            raise BadValue(f'mode must be one of {MODES}, got {mode!r}')
        _check(operations, dict(synonym=synonym_rate, crop=crop_rate, delete=delete_rate))
        self.prob = prob
        self.mode = mode
        self.synonym_rate = synonym_rate
        self.crop_rate = crop_rate
        self.delete_rate = delete_rate
        self.operations = tuple(operations)

    def change(self, caption: str, rng: np.random.Generator) -> str:
        if rng.random() >= self.prob:
            return caption
        return approximate_text(
            caption, rng, synonym_rate=self.synonym_rate, crop_rate=self.crop_rate,
            delete_rate=self.delete_rate, protect=self.mode == 'protected',
            operations=self.operations)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(prob={self.prob}, mode={self.mode!r}, '
                f'synonym_rate={self.synonym_rate}, crop_rate={self.crop_rate}, '
                f'delete_rate={self.delete_rate}, operations={self.operations})')


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


class _Meaning(NamedTuple):
    """The colours of a caption with their nouns, its negations, and the spans that hold them."""

    colors: list[tuple[tuple[str, ...], str]]
    shared: list[set[str]]
    negations: list[str]
    protected: list[tuple[int, int]]

    @classmethod
    def of(cls, caption: str, words: Sequence[Word]) -> '_Meaning':
        mentions = find_color_mentions_in(words)
        # A noun the lexicon lacks is known by the words that stand after the colour.
        return cls([(m.bases, m.noun or caption[m.color[1]:m.span[1]].lower()) for m in mentions],
                   [{caption[slice(*span)].lower() for span in m.shared} for m in mentions],
                   [caption[slice(*span)].lower() for span in negations_in(words)],
                   protected_spans_in(words, mentions))

    def holds_in(self, caption: str) -> bool:
        """Tell whether a caption says the same of each colour, and no colour of more nouns."""
        other = _Meaning.of(caption, split_words(caption))
        return self.colors == other.colors and self.negations == other.negations and all(
            after <= before for before, after in zip(self.shared, other.shared, strict=True))


def _check(operations: Sequence[str], rates: dict[str, float]) -> None:
    unknown = [name for name in operations if name not in OPERATIONS]
    if isinstance(operations, str) or unknown or not operations:
        raise BadValue(f'operations must be a list out of {OPERATIONS}, got {operations!r}')
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise BadValue(f'{name}_rate must lie in [0, 1], got {rate}')


def _change(caption: str, words: Sequence[Word], free: Sequence[bool], operation: str,
            rate: float, rng: np.random.Generator, whole: bool = False) -> str:
    """Carry out one operation; ``whole`` leaves no two articles in a row."""
    if operation == 'synonym':
        return _replace_synonyms(caption, words, free, rate, rng)
    dropped = (_crop if operation == 'crop' else _delete)(words, free, rate, rng)
    if whole and dropped:
        dropped |= _lone_determiners(words, free, dropped)
    return _without(caption, words, free, dropped) if dropped else caption


def _free_words(words: Sequence[Word], protected: Sequence[tuple[int, int]]) -> list[bool]:
    """Mark each word that lies outside all protected spans."""
    free = [True] * len(words)
    i = 0
    for start, end in protected:
        while words[i].start < start:
            i += 1
        while i < len(words) and words[i].end <= end:
            free[i] = False
            i += 1
    return free


def _bernoulli(count: int, rate: float, rng: np.random.Generator) -> list[int]:
    """Choose each of ``count`` indices with probability ``rate``, but at least one of them."""
    chosen = np.flatnonzero(rng.random(count) < rate).tolist()
    return chosen or [int(rng.integers(count))]


def _replace_synonyms(caption: str, words: Sequence[Word], free: Sequence[bool], rate: float,
                      rng: np.random.Generator) -> str:
    at = {word.start: i for i, word in enumerate(words)}
    last = {word.end: i for i, word in enumerate(words)}
    candidates = []
    for phrase in find_phrases_in(words):
        terms = synonyms(phrase.key)
        if terms and all(free[at[phrase.start]:last[phrase.end] + 1]):
            candidates.append((phrase, terms))
    if not candidates:
        return caption
    edits = []
    for i in _bernoulli(len(candidates), rate, rng):
        phrase, terms = candidates[i]
        term = terms[int(rng.integers(len(terms)))]
        edits += _article_edit(caption, words, free, at[phrase.start] - 1, term)
        original = caption[phrase.start:phrase.end]
        edits.append(_Edit(phrase.start, phrase.end, with_case_of(original, term)))
    return _apply(caption, edits)


def _crop(words: Sequence[Word], free: Sequence[bool], rate: float,
          rng: np.random.Generator) -> set[int]:
    """Choose a run of free words, with the punctuation inside it."""
    spoken = [i for i, word in enumerate(words) if not word.is_punctuation]
    runs = [0] * (len(spoken) + 1)  # free words from here on
    for k in reversed(range(len(spoken))):
        runs[k] = runs[k + 1] + 1 if free[spoken[k]] else 0
    wanted = min(max(1, round(rate * len(spoken))), len(spoken) - 1)
    length = min(wanted, max(runs))
    if length < 1:
        return set()
    starts = [k for k in range(len(spoken)) if runs[k] >= length]
    k = starts[int(rng.integers(len(starts)))]
    return set(range(spoken[k], spoken[k + length - 1] + 1))


def _delete(words: Sequence[Word], free: Sequence[bool], rate: float,
            rng: np.random.Generator) -> set[int]:
    spoken = [i for i, word in enumerate(words) if not word.is_punctuation]
    candidates = [i for i in spoken if free[i]]
    if not candidates or len(spoken) == 1:
        return set()
    dropped = {candidates[k] for k in _bernoulli(len(candidates), rate, rng)}
    if len(dropped) == len(spoken):
        dropped.remove(candidates[int(rng.integers(len(candidates)))])
    return dropped


def _lone_determiners(words: Sequence[Word], free: Sequence[bool], dropped: set[int]) -> set[int]:
    """Find the determiners that now stand before another one: "An [old man in] a red coat"."""
    lone: set[int] = set()
    following = len(words)  # next word that stays
    for i in reversed(range(len(words))):
        if i in dropped:
            continue
        if free[i] and words[i].key in _DETERMINERS and following not in (i + 1, len(words)) and (
                words[following].key in _DETERMINERS | {'her'}):
            lone.add(i)
        else:
            following = i
    return lone


def _without(caption: str, words: Sequence[Word], free: Sequence[bool], dropped: set[int]) -> str:
    """Leave some words out of the caption, with commas and articles put right at the seams."""
    kept = _tidy(words, free, dropped)
    pieces = []
    for k, i in enumerate(kept):
        gap = caption[words[i - 1].end:words[i].start] if i else ''
        text = caption[words[i].start:words[i].end]
        if k + 1 < len(kept) and kept[k + 1] != i + 1:
            for edit in _article_edit(caption, words, free, i, words[kept[k + 1]].key):
                text = edit.text
        pieces.append(gap + text)
    return ''.join(pieces).strip()


def _tidy(words: Sequence[Word], free: Sequence[bool], dropped: set[int]) -> list[int]:
    """Return the indices to keep, less punctuation that has lost the words it parted."""
    kept: list[int] = []
    for i in range(len(words)):
        if i in dropped:
            continue
        if words[i].key in _CLOSERS and free[i]:
            while kept and words[kept[-1]].key in _SEPARATORS and free[kept[-1]]:
                kept.pop()
            if not kept or (words[kept[-1]].key in _CLOSERS and kept[-1] != i - 1):
                continue
        kept.append(i)
    return kept


def _article_edit(caption: str, words: Sequence[Word], free: Sequence[bool], i: int,
                  following: str) -> list[_Edit]:
    """Make an article at word ``i`` agree with the text that now follows it."""
    if i < 0 or not free[i] or words[i].key not in ('a', 'an'):
        return []
    edit = article_edit(caption, words, i + 1, following)
    return [_Edit(*edit)] if edit else []


def _apply(caption: str, edits: Iterable[_Edit]) -> str:
    pieces, position = [], 0
    for start, end, text in edits:
        pieces += [caption[position:start], text]
        position = end
    return ''.join([*pieces, caption[position:]])
