"""Worlds of unit features in which the right probability of presence can be computed."""

import math
from statistics import NormalDist

import numpy as np

from mmtbps.evaluation.presence import OpenSet

DIM, MEAN, DEVIATION = 48, .55, .1


def world(people, seed, pictures=1, sentences=2, bank=True):
    """An `OpenSet` in which a sentence's score for its person follows a normal law.

    Pictures lie anywhere on the sphere, so the law of a stranger's score is known as well.
    """
    draw = np.random.default_rng(seed)
    gallery = unit(draw.normal(size=(people * pictures, DIM)))
    owners = np.repeat(np.arange(people), pictures)
    asked = np.repeat(np.arange(people), sentences)
    own = gallery[asked * pictures]
    aside = draw.normal(size=own.shape)
    aside = unit(aside - (aside * own).sum(1, keepdims=True) * own)
    cosine = np.clip(draw.normal(MEAN, DEVIATION, (len(asked), 1)), -.99, .99)
    queries = cosine * own + np.sqrt(1 - cosine ** 2) * aside
    neutral = unit(draw.normal(size=(64, DIM))) if bank else None
    return OpenSet(queries, asked + 1, gallery, owners + 1, neutral)


def world_of_kinds(people, seed, kinds=30, pictures=2, sentences=2):
    """An `OpenSet` of people of some kinds: those of one kind look alike."""
    draw = np.random.default_rng(seed)
    of_kinds = unit(draw.normal(size=(kinds, DIM)))[draw.choice(kinds, people)]
    persons = unit(2 * of_kinds + unit(draw.normal(size=(people, DIM))))
    owners, asked = (np.repeat(np.arange(people), count) for count in (pictures, sentences))
    gallery, queries = (unit(persons[rows] + .5 * unit(draw.normal(size=(len(rows), DIM))))
                        for rows in (owners, asked))
    return OpenSet(queries, asked + 1, gallery, owners + 1, unit(draw.normal(size=(64, DIM))))


def unit(rows):
    """The rows at length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def match_density(score):
    """Density of a sentence's score for its person."""
    return math.exp(-((score - MEAN) / DEVIATION) ** 2 / 2) / DEVIATION / math.sqrt(2 * math.pi)


def stranger_density(score):
    """Density of a sentence's score for anybody on the sphere."""
    area = math.gamma(DIM / 2) / math.sqrt(math.pi) / math.gamma((DIM - 1) / 2)
    return area * (1 - score ** 2) ** ((DIM - 3) / 2)


def right_probability(scores, size):
    """P(present) at even odds of a gallery of strangers and perhaps one picture of the person.

    Args:
        scores: Highest scores, best first; that of the person may be below them all.
        size: Entries.
    """
    odds = sum(match_density(score) / stranger_density(score) for score in scores) / size
    odds += NormalDist(MEAN, DEVIATION).cdf(scores[-1])
    return odds / (1 + odds)
