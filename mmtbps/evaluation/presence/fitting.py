"""Fit of a calibration on sentences and pictures of people whose identity is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue, MissingPackage

from .best_of import fit_stranger_law
from .calibration import Curve, PresenceCalibration
from .evidence import (
    gallery_moments,
    hit_evidence,
    left_out,
    neutral_scale,
    neutral_share,
    stranger_moments,
)
from .open_set import OpenSet, Trials, deal_trials, people_sizes
from .reliability import area_under_curve, brier_skill
from .split_normal import fit_split_normal

__all__ = ['METHODS', 'fit_calibration', 'fit_parts']

Array = NDArray[np.floating]
METHODS = ('logistic', 'isotonic')
#: Fewer people say nothing of the best of many.
FEWEST_PEOPLE = 30
#: Seeds by which people are dealt at each size.
_DEALS = 4
#: The law of strangers is seen in galleries of so many sizes, from so many people on.
_SIZES, _SMALLEST = 9, 14
#: Share of the people who are there when strangers alone are looked at.
_HARDLY_ANY = .05
#: More sentences make the fit slower, and hardly better.
_MOST_QUERIES = 4000
_CERTAIN_LOGIT = 7.
#: From so many people on the last step counts more than that it may be none.
_HALF_TRUSTED = 600
#: With less a probability is about the same for all sentences, and says nothing.
_LEAST_SKILL = .01


def fit_calibration(data: OpenSet, method: str = 'logistic', seed: int = 0,
                    fingerprint: Mapping[str, Any] | None = None,
                    fitted_on: Mapping[str, Any] | None = None) -> PresenceCalibration:
    """Fit a calibration: what speaks for a person, its two laws, and the last step.

    Where sentences fit others too, the law of matches is that of each sentence's own person, with
    nobody else there whom it fits; the probability of a hit is fitted with all of them there.

    Args:
        data: Of people who were not trained on, with neutral sentences.
        method: ``'logistic'`` or ``'isotonic'``, the last step.
        seed: Of the open-set trials.
        fingerprint: Of the model.
        fitted_on: What is known of the data, for the protocol.

    Raises:
        BadValue: The method is none, or there are too few people.
        MissingPackage: scikit-learn is missing.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingPackage('a calibration is fitted by scikit-learn: pip install '
                             '"mmtbps[calibrate]"') from error
    if method not in METHODS:
        raise BadValue(f'a calibration is {" or ".join(METHODS)}, got {method!r}')
    people = len(np.intersect1d(data.query_ids, data.gallery_ids))
    if people < FEWEST_PEOPLE:
        raise BadValue(f'a calibration needs at least {FEWEST_PEOPLE} people with pictures and '
                       f'sentences, got {people}')
    scale = neutral_scale(data.bank, *gallery_moments(data.gallery))
    data = replace(data, scale=scale)
    sizes = people_sizes(people, min(25, people // 3))
    trials = _deal(data, sizes, seed)
    asked = len(np.unique(data.query_ids[trials.query]))
    if asked < FEWEST_PEOPLE:
        raise BadValue(f'sentences of at least {FEWEST_PEOPLE} people are needed that do not fit '
                       f'most of the others, got those of {asked} of {people}')
    weights = _weigh(trials, LogisticRegression)
    law = fit_stranger_law(*_best_strangers(data, weights, people, seed), people)
    match = fit_split_normal(_sum_up_matches(data, weights, seed))
    raw = PresenceCalibration(weights, match, law, Curve(), (1., 0., 0.), data.bank, scale)
    query = raw.ratios(trials.evidence, trials.size)[1]
    known = dict(fitted_on or {}, people=people, sentences=len(data.queries),
                 pictures=len(data.gallery), sizes=sizes, seed=seed, method=method)
    return PresenceCalibration(
        weights, match, law,
        _last_step(query, trials.present, people, method, LogisticRegression),
        _fit_hits(raw, trials if data.fits is None else _deal(data, sizes, seed, alone=False),
                  LogisticRegression), data.bank, scale, .5, dict(fingerprint or {}), known)


def fit_parts(data: OpenSet, method: str = 'logistic', seed: int = 0,
              fingerprint: Mapping[str, Any] | None = None,
              fitted_on: Mapping[str, Any] | None = None) -> PresenceCalibration:
    """Fit a calibration on parts of captions, which tell less than captions do.

    Args:
        data: With ``fits``, see `mmtbps.evaluation.presence.caption_parts`.
        method: As for `fit_calibration`.
        seed: Likewise.
        fingerprint: Likewise.
        fitted_on: Likewise; how well they tell who is there is added as ``auroc``, for each size.

    Raises:
        BadValue: There are too few people, or their evidence does not tell who is there.
        MissingPackage: scikit-learn is missing.
    """
    found = fit_calibration(data, method, seed, fingerprint,
                            dict(fitted_on or {}, kind='parts of captions'))
    data = replace(data, scale=found.scale)
    fresh = [_deal(data, [size], seed + 1) for size in found.fitted_on['sizes']]
    said = [found.probabilities(trials.evidence, trials.size)[0] for trials in fresh]
    areas = [round(area_under_curve(present, trials.present), 3)
             for present, trials in zip(said, fresh, strict=True)]
    if brier_skill(np.concatenate(said), Trials.join(fresh).present) < _LEAST_SKILL:
        raise BadValue(f'they hardly tell who is there (AUROC at most {max(areas):.2f})')
    return replace(found, fitted_on=dict(found.fitted_on, auroc=areas))


def _deal(data: OpenSet, sizes: Sequence[int], seed: int, alone: bool = True,
          share: float = .5) -> Trials:
    return Trials.join([deal_trials(data, size, share, seed * _DEALS + deal, alone)
                        for size in sizes for deal in range(_DEALS)])


def _weigh(trials: Trials, logistic: Any) -> Array:
    """Find the weights of the evidence: present against absent, at equal size."""
    evidence = trials.evidence[:, 0]
    centre, spread = evidence.mean(0), np.maximum(evidence.std(0), 1e-9)
    size = np.log(trials.size)[:, None]
    columns = np.concatenate([(evidence - centre) / spread, size - size.mean()], 1)
    found = logistic(C=1., max_iter=1000).fit(columns, trials.present).coef_[0, :-1] / spread
    if not np.abs(found).sum():
        raise BadValue('nothing of the evidence tells who is there; is the model trained?')
    return found


def _best_strangers(data: OpenSet, weights: Array, people: int,
                    seed: int) -> tuple[list[float], list[Array]]:
    """Sum up the evidence of the best stranger in galleries of several sizes, with their sizes."""
    sizes, best = [], []
    for size in np.unique(np.geomspace(_SMALLEST, people - 1, _SIZES).astype(int)).tolist():
        trials = _deal(data, [size], seed, share=_HARDLY_ANY)
        absent = ~trials.present
        if absent.any():
            sizes.append(float(trials.size[absent].mean()))
            best.append((trials.evidence[absent] @ weights).max(1))
    return sizes, best


def _sum_up_matches(data: OpenSet, weights: Array, seed: int) -> Array:
    """Sum up the evidence of each person's best picture."""
    scale = data.scale
    if data.fits is not None:  # of people without sentences nobody knows whether others fit them
        known = np.isin(data.gallery_ids, data.query_ids)
        data = replace(data, gallery=data.gallery[known], gallery_ids=data.gallery_ids[known],
                       fits=data.fits[:, known])
    shares = neutral_share(data.gallery @ data.bank.T, scale)
    asked = np.random.default_rng(seed).permutation(len(data.queries))[:_MOST_QUERIES]
    matches = []
    for place in np.sort(asked):
        same = data.gallery_ids == data.query_ids[place]
        if not same.any():
            continue
        scores, share = np.asarray(data.queries[place] @ data.gallery.T, np.float64), shares
        if data.fits is not None:
            there = same | (data.fits[place] == 0)
            if 2 * there.sum() < len(there):
                continue
            same, scores, share = same[there], scores[there], shares[there]
        first = np.sort(scores)[::-1][:left_out(len(scores))]
        mean, deviation = stranger_moments(scores.mean(), (scores ** 2).mean(), len(scores), first)
        evidence = hit_evidence(scores[None, same], share[None, same], np.array([mean]),
                                np.array([deviation]), scale)[0] @ weights
        matches.append(evidence.max())
    return np.array(matches)


def _last_step(ratio: Array, present: NDArray, people: int, method: str, logistic: Any) -> Curve:
    """Fit what the laws leave; by a logistic step the less, the fewer people tell of it."""
    if method == 'logistic':
        found = logistic(C=1e6).fit(ratio[:, None], present)
        trust = people / (people + _HALF_TRUSTED)
        return Curve(1 + trust * (float(found.coef_[0, 0]) - 1), trust * float(found.intercept_[0]))
    from sklearn.isotonic import IsotonicRegression
    found = IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip').fit(ratio, present)
    return Curve(knots=tuple(zip(found.X_thresholds_.tolist(), found.y_thresholds_.tolist(),
                                 strict=True)))


def _fit_hits(raw: PresenceCalibration, trials: Trials,
              logistic: Any) -> tuple[float, float, float]:
    """Fit the probability that a hit is the person, among those who are there."""
    hits, _, listed = raw.ratios(trials.evidence, trials.size)
    there = trials.present
    listed = np.broadcast_to(listed[there, None], hits[there].shape)
    columns = np.stack([hits[there] - listed, listed], -1)
    matches = trials.matches[there].ravel()
    if matches.all() or not matches.any():
        return 0., 0., _CERTAIN_LOGIT if matches.all() else -_CERTAIN_LOGIT
    found = logistic(C=1e6, max_iter=1000).fit(columns.reshape(-1, 2), matches)
    share, all_of_them = found.coef_[0].tolist()
    return share, all_of_them, float(found.intercept_[0])
