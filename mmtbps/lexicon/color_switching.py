"""Exchange of the colour of one garment in all captions of an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

from .caption_reading import read_caption
from .color_distance import base_colors, color_distance
from .edit_spans import OVERLAPS, Span, Target, certain_mentions, edit_spans, is_plain
from .mentions import find_color_mentions
from .phrases import split_words
from .vocabulary import colors, garment_name, garments
from .wording import article_edit, with_case_of

__all__ = ['CaptionEdit', 'ColorSwitcher', 'Replacement', 'color_distance', 'garment_name']

MODES = ('lexicon', 'paper')
#: Colours and garments of the official notebook, and its limit on the words of a caption.
PAPER_COLORS = ('red', 'yellow', 'green', 'purple', 'white', 'brown', 'blue', 'orange', 'pink',
                'grey')
PAPER_GARMENTS = ('coat', 'jacket', 'shirt', 'dress', 'blouse', 'top', 'hoodie', 'suit', 'clothes',
                  'cloth', 'pants', 'shorts', 'sweatshirt', 'skirt', 'robe', 'romper', 'shirts',
                  'sweater', 'clothing', 'tee-shirt')
PAPER_MAX_WORDS = 70

class Replacement(NamedTuple):
    """Exchanged colour words of one caption; spans are ``[start, end)`` in characters.

    Args:
        caption: Index of the caption in `CaptionEdit.source_captions`.
        source: The old colour words in the source caption.
        target: The new colour word in the target caption.
        phrase: Colour and garment in the source caption.
        target_phrase: The same in the target caption.
    """

    caption: int
    source: Span
    target: Span
    phrase: Span
    target_phrase: Span


@dataclass(frozen=True, slots=True)
class CaptionEdit:
    """Captions of an image before and after one garment changes colour.

    Args:
        kept: Indices of the captions that are used; the others would not be true afterwards.
        source_captions: The kept captions as people wrote them.
        target_captions: The same with the new colour.
        replacements: Every exchanged colour, in order; the first drives the edit.
        noun: The garment, in the singular where it has one.
        region: Region of the body it is worn on.
        old_color: Basic name of the old colour.
        new_color: Basic name of the new colour.
    """

    kept: tuple[int, ...]
    source_captions: tuple[str, ...]
    target_captions: tuple[str, ...]
    replacements: tuple[Replacement, ...]
    noun: str
    region: str
    old_color: str
    new_color: str


class ColorSwitcher:
    """Exchanger of the colours of garments in captions.

    Proximity data generation, step "caption modification", of Contrastive Transformer Learning
    with Proximity Data Generation for TBPS, https://arxiv.org/abs/2311.09084.

    With ``mode='lexicon'`` a garment qualifies if it has one basic colour, and a caption is kept
    only if it stays true:

    * every mention of the garment in that colour changes, in all captions (``'dark blue'`` goes
      as a whole; ``a`` / ``an`` and capitals are put right);
    * a caption that calls the only garment of the region by another word (*shirt*, *top*) changes
      along with the others;
    * a caption that gives the garment another colour, or the old colour to something that may be
      part of it or hide it, is dropped;
    * so is one that `mmtbps.lexicon.read_caption` doubts: it speaks of several people, compares
      colours, has an unknown colour word, negates or holds the garment, or shares the colour among
      garments.

    The new colour is mentioned nowhere in the captions and differs visibly from the old one.

    ``mode='paper'`` follows the official notebook: the first caption only, 10 colours x 20
    garments in exactly these spellings, the first noun phrase that has one of each, its last
    colour word replaced by a random other one. Two of the notebook's faults are left out: it
    replaces the word also inside other words and the phrase also elsewhere. Its noun phrases come
    from a parser; here they are those of `find_color_mentions`.

    Args:
        mode: ``'lexicon'`` or ``'paper'``.
        regions: Regions of `mmtbps.lexicon.Garment` whose colours may change.
        min_distance: Least CIE Lab distance of old and new colour.
        count_tokens: Number of tokens of a caption, special ones included. ``None`` does not
            limit the length.
        max_tokens: Captions with more tokens, before or after, are dropped. The text encoder of
            Stable Diffusion reads 77.

    Raises:
        BadValue: If the mode or a region is unknown.

    Example:
        >>> captions = ['A man in a dark blue shirt.', 'His shirt is blue, his bag is red.']
        >>> edit, = ColorSwitcher().switch(captions, np.random.default_rng(0))
        >>> edit.target_captions
        ('A man in a yellow shirt.', 'His shirt is yellow, his bag is red.')
    """

    def __init__(self, mode: str = 'lexicon', regions: Sequence[str] = ('upper', 'lower', 'full'),
                 min_distance: float = 30., count_tokens: Callable[[str], int] | None = None,
                 max_tokens: int = 77) -> None:
        if mode not in MODES:
            raise BadValue(f'mode must be one of {MODES}, got {mode!r}')
        unknown = sorted(set(regions) - set(OVERLAPS))
        if isinstance(regions, str) or unknown or not regions:
            raise BadValue(f'regions must be a list out of {tuple(OVERLAPS)}, got {regions!r}')
        self.mode = mode
        self.regions = tuple(regions)
        self.min_distance = min_distance
        self.count_tokens = count_tokens
        self.max_tokens = max_tokens

    def switch(self, captions: Sequence[str], rng: np.random.Generator,
               count: int = 1) -> list[CaptionEdit]:
        """Make up to ``count`` different edits of one image, at random.

        Args:
            captions: All captions of the image.
            rng: Source of every choice.
            count: Number of edits wanted.
        """
        options = self.options(captions)
        tried = (self.apply(captions, *options[i]) for i in rng.permutation(len(options)))
        return list(islice(filter(None, tried), count))

    def options(self, captions: Sequence[str]) -> list[tuple[Target, str]]:
        """List every pair of a garment in its colour and a new colour worth trying."""
        if self.mode == 'paper':
            hit = _first_paper_hit(captions[0]) if captions else None
            return [] if hit is None else [(hit[1], color) for color in PAPER_COLORS
                                           if color != hit[1].color]
        readings = [read_caption(caption) for caption in captions]
        used = {base for found in readings for m in found.mentions for base in m.bases}
        targets = dict.fromkeys(Target(garment_name(m.noun), m.region, m.bases[0])
                                for caption, found in zip(captions, readings, strict=True)
                                for m in certain_mentions(found) if m.region in self.regions
                                and len(m.bases) == 1 and is_plain(caption, m))
        return [(target, color) for target in targets for color in base_colors()
                if color not in used and color_distance(color, target.color) >= self.min_distance]

    def apply(self, captions: Sequence[str], target: Target, new: str) -> CaptionEdit | None:
        """Carry out one of the `options`; ``None`` if no caption would stay true."""
        if self.mode == 'paper':
            spans = [_first_paper_hit(captions[0])[0]]
            changes: list[list[tuple[Span, Span]] | None] = [spans]
        else:
            changes = edit_spans(captions, target)
        kept, sources, targets, replacements = [], [], [], []
        for index, spans in enumerate(changes):
            if spans is None:
                continue
            text, moved = _replace(captions[index], spans, new, articles=self.mode == 'lexicon')
            if not self._fits(captions[index], text) or not self._reads_back(
                    captions[index], text, moved, new):
                continue
            replacements += [Replacement(len(kept), *spans) for spans in moved]
            kept.append(index)
            sources.append(captions[index])
            targets.append(text)
        if not replacements:
            return None
        return CaptionEdit(tuple(kept), tuple(sources), tuple(targets), tuple(replacements),
                           target.noun, target.region, colors()[target.color].name,
                           colors()[new].name)

    def _fits(self, *captions: str) -> bool:
        if self.mode == 'paper' and any(len(c.split()) > PAPER_MAX_WORDS for c in captions):
            return False
        return self.count_tokens is None or all(
            self.count_tokens(caption) <= self.max_tokens for caption in captions)

    def _reads_back(self, source: str, caption: str, moved: Sequence[tuple[Span, ...]],
                    new: str) -> bool:
        """Tell whether the finder sees the new colour where it was written, all else as before."""
        if self.mode == 'paper':
            return True
        changed = {color for color, _, _, _ in moved}
        expected = [(m.noun, (new,) if m.color in changed else m.bases)
                    for m in find_color_mentions(source)]
        found = find_color_mentions(caption)
        places = {m.color: m.bases for m in found}
        return [(m.noun, m.bases) for m in found] == expected and all(
            places.get(target) == (new,) for _, target, _, _ in moved)


def _first_paper_hit(caption: str) -> tuple[tuple[Span, Span], Target] | None:
    for mention in find_color_mentions(caption):
        start, end = mention.span
        words = [(word.start + start, word.end + start)
                 for word in split_words(caption[start:end])]
        hues = [(a, b) for a, b in words if caption[a:b] in PAPER_COLORS]
        nouns = [caption[a:b] for a, b in words if caption[a:b] in PAPER_GARMENTS]
        if hues and nouns and not mention.predicative:
            noun, (a, b) = nouns[-1], hues[-1]
            region = garments()[noun].region if noun in garments() else 'full'
            return ((a, b), (start, end)), Target(garment_name(noun), region, caption[a:b])
    return None


def _replace(caption: str, spans: Sequence[tuple[Span, Span]], new: str,
             articles: bool) -> tuple[str, list[tuple[Span, Span, Span, Span]]]:
    """Write the new caption, and ``(source, target, phrase, target_phrase)`` of each colour."""
    edits: list[tuple[int, int, str]] = []
    words = split_words(caption)
    for (start, end), _ in spans:
        place = next(i for i, word in enumerate(words) if word.start == start)
        article = article_edit(caption, words, place, new) if articles else None
        edits += [article] if article else []
        edits.append((start, end, with_case_of(caption[start:end], new)))

    def moved(span: Span) -> Span:
        start, end = (p + sum(len(text) - (b - a) for a, b, text in edits if b <= p) for p in span)
        return start, end

    pieces, position = [], 0
    for start, end, text in edits:
        pieces += [caption[position:start], text]
        position = end
    text = ''.join([*pieces, caption[position:]])
    return text, [(color, moved(color), phrase, moved(phrase)) for color, phrase in spans]
