"""Phrases: marks against the truth of drawn people, what must hold, denials, marks of right or wrong.

It takes a data set of drawn people and a model, fits the bounds of marks on the validation people
and measures on the test people. Balanced accuracy counts what is marked yes or no; beside it stands
the share that is. A denial is asked of the first 40 of all test pictures. A simulated visitor marks
the first ten by the looks of the target, and never the target itself.
"""  # noqa: E501

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmtbps.drawing.captions import visible
from mmtbps.drawing.phrase_truth import base_color, holds, read_person, read_scene
from mmtbps.evaluation.caption_labels import PhraseLabels
from mmtbps.evaluation.feedback import simulate_visits
from mmtbps.evaluation.phrase_marks import rate_marks, share_lacking
from mmtbps.lexicon import AskedPhrase, read_sentence
from mmtbps.search import load_encoder
from mmtbps.search.answers import CHECKED, PhraseChecker, Wishes, fit_phrase_bounds
from mmtbps.search.answers.feedback import move_query
from mmtbps.search.answers.margins import Bounds, mark_margins
from mmtbps.search.answers.phrase_weights import phrases_to_weigh, weighed_scores
from mmtbps.search.media.images import read_image

_BATCH = 64
_LEAST = 10  # people of a kind, or a phrase is left out
_COLORS = 'black white gray red blue green yellow orange purple pink brown beige'.split()
_CLOTHES = ('t-shirt', 'shirt', 'jacket', 'hoodie', 'coat', 'sweater', 'dress', 'pants', 'jeans',
            'shorts', 'sneakers', 'shoes')
_OTHERS = ('backpack', 'shoulder bag', 'handbag', 'shopping bag', 'suitcase', 'bag', 'hat',
           'baseball cap', 'beanie', 'glasses', 'scarf', 'man', 'woman', 'beard', 'long hair',
           'short hair', 'bald', 'ponytail', 'black hair', 'brown hair', 'blonde hair',
           'striped shirt', 'plaid shirt')
_DENIED = ('a person without a backpack', 'a person without a bag', 'a person with no hat',
           'a person without glasses', 'a person not wearing a black jacket',
           'a person without blue jeans', 'a person not in black pants', 'a person, no red t-shirt')
_FIRST = 40
#: So many of these must be those of the target, or a visitor marks a picture wrong.
_LOOKS, _ALIKE = ('gender', 'upper', 'lower', 'bag', 'hair', 'upper color', 'lower color'), 4


class Side(NamedTuple):
    """Pictures of one split, with their truth and their captions.

    Args:
        images: ``(N, D)`` features.
        truth: Person and scene of each, and what is in view.
        people: ``(N,)`` ids.
        captions: Q texts.
        texts: ``(Q, D)`` features.
        owners: ``(Q,)`` ids.
    """

    images: np.ndarray
    truth: Sequence[tuple[Any, Any, frozenset[str]]]
    people: np.ndarray
    captions: Sequence[str]
    texts: np.ndarray
    owners: np.ndarray


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--model', required=True, help='folder of a model, or hf:NAME')
    parser.add_argument('--data', type=Path, required=True, help='drawn people: mmtbps draw')
    parser.add_argument('--queries', type=int, default=400, help='captions asked of each kind '
                        '(default: %(default)s)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure one model on one data set."""
    import torch
    torch.set_num_threads(args.threads)
    encoder = load_encoder(args.model, device='cpu')
    val, test = (read_side(encoder, args.data, split) for split in ('val', 'test'))
    return measure(encoder, val, test, args.queries)


def read_side(encoder: Any, root: Path, split: str) -> Side:
    """Encode the pictures and captions of a split."""
    records = [record for record in json.loads((root / 'reid_raw.json').read_text('utf-8'))
               if record['split'] == split]
    images = np.concatenate([encoder.encode_images([
        read_image(root / 'imgs' / record['file_path']) for record in records[start:start + _BATCH]
    ]) for start in range(0, len(records), _BATCH)])
    captions = [caption for record in records for caption in record['captions']]
    texts = np.concatenate([encoder.encode_texts(captions[start:start + _BATCH])
                            for start in range(0, len(captions), _BATCH)])
    return make_side(root, records, images, texts)


def make_side(root: Path, records: Sequence[dict], images: np.ndarray, texts: np.ndarray) -> Side:
    """Join features of a split with the truth in ``attributes.json``."""
    facts = json.loads((root / 'attributes.json').read_text('utf-8'))
    drawn = [(read_person(facts['people'][str(record['id'])]),
              read_scene(facts['images'][record['file_path']]['scene'])) for record in records]
    truth = [(*pair, visible(*pair)) for pair in drawn]
    return Side(images, truth, np.array([record['id'] for record in records]),
                [caption for record in records for caption in record['captions']], texts,
                np.array([record['id'] for record in records for _ in record['captions']]))


def measure(encoder: Any, val: Side, test: Side, queries: int) -> list[dict]:
    """Make the rows of all four tables."""
    plain = PhraseChecker(encoder)
    fitted = PhraseChecker(encoder, calibrate(plain, val))
    for kind, bounds in fitted.bounds.items():
        print(f'bounds of {kind}: {bounds.low:.3f} {bounds.high:.3f}', file=sys.stderr)
    rows = _rate(plain, fitted, test)
    chosen = np.random.default_rng(0).permutation(len(test.captions))[:queries]
    rows += _order(plain, fitted, test, chosen) + _deny(plain, fitted, test)
    return rows + _visit(test, chosen)


# ------------------------------------------------------------------ marks
def phrases_of_drawn_people() -> list[AskedPhrase]:
    """List phrases in which drawn people differ."""
    texts = [*(f'{color} {noun}' for noun in _CLOTHES for color in _COLORS), *_OTHERS]
    return [phrase for text in texts for phrase in PhraseChecker.phrases(text)]


def truth_of(phrase: AskedPhrase, side: Side) -> PhraseLabels:
    """Return the places where a phrase can be judged, and whether it holds there."""
    told = [holds(phrase, *picture) for picture in side.truth]
    known = np.flatnonzero([each is not None for each in told])
    return PhraseLabels(phrase, known, np.array([told[place] for place in known], bool))


def calibrate(checker: PhraseChecker, side: Side) -> dict[str, Bounds]:
    """Fit bounds by the names of `bounds_keys`."""
    labels = [truth_of(phrase, side) for phrase in phrases_of_drawn_people()]
    return fit_phrase_bounds(checker, [one for one in labels if 0 < one.holds.mean() < 1],
                             side.images)


def _rate(plain: PhraseChecker, fitted: PhraseChecker, side: Side) -> list[dict]:
    found = defaultdict(list)
    for phrase in phrases_of_drawn_people():
        _, known, label = truth_of(phrase, side)
        if not _LEAST <= label.sum() <= len(label) - _LEAST:
            continue
        margins = plain.margins(phrase, side.images[known])
        found[_kind(phrase)].append([rate_marks(mark_margins(margins, checker.bounds_of(phrase)),
                                                label) for checker in (plain, fitted)])
    return [dict(measure='balanced accuracy', of=f'{kind}, {len(pairs)} phrases', plain='-', **{
        name: _word_quality([pair[place] for pair in pairs])
        for place, name in enumerate(('label-free', 'calibrated'))})
        for kind, pairs in found.items()]


def _kind(phrase: AskedPhrase) -> str:
    return 'pattern' if phrase.pattern else phrase.name if phrase.kind in (
        'accessory', 'clothing') and not phrase.color else (
        f'{phrase.region} color' if phrase.region else phrase.kind)


def _word_quality(qualities: Sequence[Any]) -> str:
    rated = [each.balanced_accuracy for each in qualities if each.balanced_accuracy == each
             .balanced_accuracy]
    accuracy = f'{np.mean(rated):.2f}' if rated else '-'
    return f'{accuracy} ({np.mean([each.decided for each in qualities]):.0%} decided)'


# ------------------------------------------------------------------ what must hold, or must not
def _order(plain: PhraseChecker, fitted: PhraseChecker, side: Side,
           chosen: np.ndarray) -> list[dict]:
    rows = []
    for title, most in (('first garment of the caption', 1), ('all phrases of it', 99)):
        right = np.zeros((3, len(chosen)))
        for column, query in enumerate(chosen):
            order = np.argsort(-side.images @ side.texts[query], kind='stable')[:CHECKED]
            phrases = [phrase for phrase in PhraseChecker.phrases(side.captions[query])
                       if most > 1 or phrase.kind == 'clothing'][:most]
            for row, checker in enumerate((None, plain, fitted)):
                ranked = order if checker is None or not phrases else _by_worst(
                    checker, phrases, order, side.images[order])
                right[row, column] = side.people[ranked[0]] == side.owners[query]
        rows.append(dict(measure='R1 with --must', of=f'{title}, {len(chosen)} captions',
                         **_three(100 * right.mean(1))))
    return [*rows, _weigh(plain, side, chosen)]


def _weigh(checker: PhraseChecker, side: Side, chosen: np.ndarray) -> dict:
    """Find people by captions of which each phrase is weighed; no labels, so no bounds."""
    right = np.zeros((2, len(chosen)))
    for column, query in enumerate(chosen):
        scores = side.images @ side.texts[query]
        weighed = weighed_scores(scores, side.images, phrases_to_weigh(side.captions[query]),
                                 checker, scores.std())
        for row, order in enumerate((scores, weighed)):
            right[row, column] = side.people[order.argmax()] == side.owners[query]
    plain, weighed = 100 * right.mean(1)
    return dict(measure='R1 with --weigh-phrases', of=f'{len(chosen)} captions',
                plain=f'{plain:.1f}', **{'label-free': f'{weighed:.1f}', 'calibrated': '-'})


def _by_worst(checker: PhraseChecker, phrases: Sequence[AskedPhrase], order: np.ndarray,
              features: np.ndarray) -> np.ndarray:
    places = dict(yes=0, unsure=1, no=2)
    worst = [max(places[mark.mark] for mark in row) for row in checker.marks(phrases, features)]
    return order[np.argsort(worst, kind='stable')]


def _deny(plain: PhraseChecker, fitted: PhraseChecker, side: Side) -> list[dict]:
    """Rank all pictures by a sentence as it stands, and by what it affirms, without the denied."""
    rows = []
    for sentence in _DENIED:
        phrase = next(each for each in read_sentence(sentence).phrases if each.negated)
        _, known, label = truth_of(phrase, side)
        as_asked, affirmed = plain.encoder.encode_texts([sentence, Wishes.affirmed(sentence)])
        if denied := Wishes.denied_alone(sentence):
            affirmed = plain.without(affirmed, denied)
        shares = []
        for checker, query in ((None, as_asked), (plain, affirmed), (fitted, affirmed)):
            order = np.argsort(-side.images[known] @ query, kind='stable')
            if checker is not None:
                order = np.concatenate([_by_worst(checker, [phrase], order[:CHECKED],
                                                  side.images[known][order[:CHECKED]]),
                                        order[CHECKED:]])
            shares.append(share_lacking(label[order], _FIRST))
        rows.append(dict(measure=f'lacking it among the first {_FIRST}',
                         of=f'{sentence} (base {100 * shares[0]["base"]:.0f})',
                         **_three([100 * share['first'] for share in shares])))
    return rows


def _three(values: Sequence[float]) -> dict[str, str]:
    return dict(zip(('plain', 'label-free', 'calibrated'), [f'{value:.1f}' for value in values],
                    strict=True))


# ------------------------------------------------------------------ right and wrong
def _visit(side: Side, chosen: np.ndarray) -> list[dict]:
    looks = np.array([[getattr(person, name) if ' ' not in name
                       else base_color(person.colors[name.split()[0]]) for name in _LOOKS]
                      for person, *_ in side.truth])
    places = {person: place for place, person in enumerate(side.people)}
    owners = side.owners[chosen]
    visits = simulate_visits(
        side.texts[chosen], side.images, side.people[None] == owners[:, None],
        lambda number: (looks == looks[places[owners[number]]]).sum(1) >= _ALIKE, move_query)
    rows = []
    for turn in range(len(visits[0].ranks)):
        moved, still = ([getattr(visit, name)[turn] for visit in visits]
                        for name in ('ranks', 'unmoved'))
        rows.append(dict(measure='rank of the target (query as it was | moved)',
                         of=f'after {turn} rounds, {len(visits)} visitors',
                         plain=_word_ranks(still), **{'label-free': _word_ranks(moved),
                                                      'calibrated': '-'}))
    return rows


def _word_ranks(ranks: Sequence[int]) -> str:
    ranks = np.array(ranks)
    return (f'median {np.median(ranks):.0f}, geometric mean {np.exp(np.log(ranks).mean()):.1f}, '
            f'{(ranks <= 10).mean():.0%} in 10')
