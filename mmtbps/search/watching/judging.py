"""Judging of people by rules: score, evidence, probability and phrases of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmtbps.errors import BadValue, Remedy
from mmtbps.evaluation.presence.calibration import PresenceCalibration
from mmtbps.evaluation.presence.calibration_file import describe_fit
from mmtbps.evaluation.presence.evidence import (
    FIRST_HITS,
    hit_evidence,
    left_out,
    neutral_scale,
    neutral_share,
    score_moments,
    stranger_moments,
)
from mmtbps.evaluation.presence.false_alarms import evidence_at_rate

from ..answers.gallery_statistics import GalleryStatistics, find_statistics
from ..answers.margins import Bounds
from ..answers.phrases import PhraseChecker
from ..answers.presence import FEWEST_ENTRIES, NOT_CALIBRATED
from ..answers.wishes import Wishes
from ..encoders.base import Encoder
from ..encoders.queries import read_queries
from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.filters import read_where
from .alarms import Finding
from .rules import Rule

__all__ = ['RuleJudge']

#: Statistics of a gallery are made anew when it has grown by this part.
_GROWN = .05


@dataclass(frozen=True)
class _Evidence:
    """Evidence of people for one sentence: summed up, and as a probability."""

    summed: np.ndarray
    probability: np.ndarray


class RuleJudge:
    """RuleJudge of people by rules.

    Args:
        rules: Saved sentences.
        gallery: That people are in.
        encoder: Of its model.
        calibration: Of the model; None if there is none.
        reason: There is none.
        bounds: Of phrases, by the names of `bounds_keys`.

    Attributes:
        rules: Saved sentences.

    Raises:
        BadValue: A rule needs a calibration and there is none, or none of sentences of its length
            or of such that only deny, or it says nothing to the model.
    """

    def __init__(self, rules: Sequence[Rule], gallery: BaseGallery, encoder: Encoder,
                 calibration: PresenceCalibration | None = None, reason: str = '',
                 bounds: Mapping[str, Bounds] | None = None) -> None:
        self.rules, self.gallery, self.calibration = list(rules), gallery, calibration
        reason = f'{NOT_CALIBRATED}{reason and f": {reason}"}'
        for rule in self.rules:
            self._check_bound(rule, reason)
        self._fitted = [(None, reason) if calibration is None else self._choose(rule)
                        for rule in self.rules]
        self._checker = PhraseChecker(encoder, bounds or {})
        self._conditions = [read_where(rule.where) for rule in self.rules]
        self._vectors = self._encode(encoder)
        self._bounds = [evidence_at_rate(calibration.strangers, rule.value)
                        if rule.bound == 'max_false_alarm_rate' else rule.value
                        for rule in self.rules]
        self._known: GalleryStatistics | None = None

    def _check_bound(self, rule: Rule, reason: str) -> None:
        """Refuse a rate or a probability where none is known."""
        if not rule.needs_calibration:
            return
        if denied := Wishes.denied_alone(rule.sentence):
            raise BadValue(f'rule {rule.name!r}: {rule.bound}: the sentence says nothing but '
                           f'"{denied[0]}", and of such no rate or probability is known. Name a '
                           'min_score, or say what the person wears')
        if self.calibration is None:
            raise BadValue(f'rule {rule.name!r}: {rule.bound}: the model is {reason}, and without '
                           'a calibration no rate or probability is known. Name a min_score, or '
                           'calibrate the model', Remedy('calibrate', {}))

    def _encode(self, encoder: Encoder) -> list[np.ndarray]:
        """Encode the sentences as a search does, so that a rule and a query have one score."""
        queries = read_queries(encoder, [Wishes.affirmed(rule.sentence) for rule in self.rules])
        vectors = encoder.encode_texts([query.encoded for query in queries])
        return [self._checker.without(vector, Wishes.denied_alone(rule.sentence))
                for vector, rule in zip(vectors, self.rules, strict=True)]

    def _choose(self, rule: Rule) -> tuple[PresenceCalibration | None, str]:
        """Choose what tells probabilities for a rule's sentence; strangers keep their law.

        Returns:
            With what they rest on; None with the reason where nothing tells them.

        Raises:
            BadValue: And a probability is the bound.
        """
        if Wishes.denied_alone(rule.sentence):
            return None, f'{NOT_CALIBRATED} on what is only denied'
        chosen, reason = self.calibration.of_length(Wishes.affirmed(rule.sentence))
        if chosen is not None:
            return chosen, describe_fit(chosen)
        if rule.bound == 'min_probability':
            raise BadValue(f'rule {rule.name!r}: min_probability: the model is calibrated '
                           f'{reason}. Name a max_false_alarm_rate or a min_score')
        return None, f'{NOT_CALIBRATED} {reason}'

    @property
    def fewest(self) -> int:
        """Entries that the gallery needs before anybody can be judged."""
        return FEWEST_ENTRIES if self.calibration is not None else 1

    def looks_at(self, rule: int, entry: GalleryEntry) -> bool:
        """Tell whether an entry passes the filter of a rule."""
        conditions = self._conditions[rule]
        return all(condition.select([entry])[0] for condition in conditions) and not (
            entry.is_undated and any(condition.key == 'time' for condition in conditions))

    def __call__(self, entries: Sequence[GalleryEntry]) -> list[Finding]:
        """RuleJudge entries of the gallery by each rule.

        Args:
            entries: At most some hundreds at a time.

        Returns:
            The findings, in the order of the entries and then of the rules.

        Raises:
            UnknownEntry: An entry is not in the gallery.
        """
        entries, features = self.gallery.get([entry.id for entry in entries])
        found: list[list[Finding]] = [[] for _ in entries]
        for number, rule in enumerate(self.rules):
            rows = [row for row, entry in enumerate(entries) if self.looks_at(number, entry)]
            for row, finding in zip(rows, self._judge(number, rule, [entries[row] for row in rows],
                                                      features[rows]), strict=True):
                if finding is not None:
                    found[row].append(finding)
        return [finding for row in found for finding in row]

    def _judge(self, number: int, rule: Rule, entries: Sequence[GalleryEntry],
               features: np.ndarray) -> list[Finding | None]:
        """RuleJudge people by a rule; None for each who does not meet it."""
        if not entries:
            return []
        scores = features @ self._vectors[number]
        fitted, basis = self._fitted[number]
        known = None if self.calibration is None else self._weigh(
            self._vectors[number], entries, features, fitted or self.calibration)
        values = {'min_score': scores} if known is None else {
            'min_score': scores, 'min_probability': known.probability,
            'max_false_alarm_rate': known.summed}
        met = values[rule.bound] >= self._bounds[number]
        phrases = self._checker.phrases(rule.sentence)
        marks = self._checker.marks(phrases, features)
        denied = [place for place, phrase in enumerate(phrases) if phrase.negated]
        said = None if fitted is None else known.probability
        return [Finding(rule, entry, float(scores[row]),
                        None if said is None else float(said[row]), marks[row], basis)
                if met[row] and all(marks[row][place].mark != 'no' for place in denied) else None
                for row, entry in enumerate(entries)]

    def _weigh(self, vector: np.ndarray, entries: Sequence[GalleryEntry],
               features: np.ndarray, fitted: PresenceCalibration) -> _Evidence:
        """Weigh the evidence that people are the one of a sentence, as a search does."""
        known = self._find_statistics()
        mean, square = score_moments(vector[None], known.mean, known.second)
        hits = self.gallery.search(vector[None], FIRST_HITS)[0]
        first = np.array([[hit.score for hit in hits]])
        moments = stranger_moments(mean, square, known.count,
                                   first[:, :min(left_out(known.count), len(hits))])
        scale = neutral_scale(fitted.bank, known.mean, known.second, known.count, fitted.scale)
        best = [hit.entry.id for hit in hits]
        places = {key: place for place, key in enumerate(best)}
        behind = [row for row, entry in enumerate(entries) if entry.id not in places]
        places.update((entries[row].id, len(best) + place) for place, row in enumerate(behind))
        seen = np.concatenate([self.gallery.get(best)[1], features[behind]])
        shares = neutral_share(seen @ fitted.bank.T, scale)[None]
        evidence = hit_evidence((seen @ vector)[None], shares, *moments, scale)
        _, matching = fitted.probabilities(evidence, known.count)
        rows = [places[entry.id] for entry in entries]
        return _Evidence(evidence[0, rows] @ self.calibration.weights, matching[0, rows])

    def _find_statistics(self) -> GalleryStatistics:
        """Find the statistics of the gallery, which few new people hardly change."""
        count = self.gallery.count()
        if self._known is None or abs(count - self._known.count) > _GROWN * self._known.count:
            self._known = find_statistics(self.gallery)
        return self._known
