"""Features like those of a trained model, made hard for an index."""

from typing import NamedTuple

import numpy as np

CAMERAS = 15
VIEWS = 5  # of one person


class Features(NamedTuple):
    """Unit float32 features: ``(N, dim)`` of a gallery and ``(Q, dim)`` of two kinds of query."""

    gallery: np.ndarray
    images: np.ndarray
    texts: np.ndarray


def draw_features(size: int, dim: int, queries: int, seed: int = 0) -> Features:
    """Draw people who overlap, and ask for them by image and by text.

    All images lie in one narrow cone, as trained features do, and few directions carry most of
    the differences. Views of one person differ about as much as people do. Text queries lie in
    another cone, in which the gallery has no point, and are noisier; an index learns nothing of
    them.
    """
    draw = np.random.default_rng(seed)
    spread = 1 / np.sqrt(1 + np.arange(dim) / 16)
    image_cone, text_cone = draw.normal(size=(2, dim)) * 1.5 * np.linalg.norm(spread) / dim**.5
    people = draw.standard_normal((-(-size // VIEWS), dim), np.float32) * spread.astype('f4')

    def seen(who: np.ndarray, cone: np.ndarray, noise: float) -> np.ndarray:
        rows = draw.standard_normal((len(who), dim), np.float32)
        rows *= (noise * spread).astype('f4')
        rows += people[who]
        rows += cone.astype('f4')
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    gallery = seen(np.arange(size) // VIEWS, image_cone, .9)
    asked = draw.choice(len(people), queries, replace=len(people) < queries)
    return Features(gallery, seen(asked, image_cone, .9), seen(asked, text_cone, 1.2))


def exact_neighbours(features: Features, queries: np.ndarray, topk: int,
                     camera: int | None = None) -> list[set[int]]:
    """Find the rows of the gallery that are most similar to each query, of one camera or of all."""
    rows = np.arange(len(features.gallery))
    if camera is not None:
        rows = rows[camera::CAMERAS]
    scores = queries @ features.gallery[rows].T
    best = np.argpartition(scores, -topk, axis=1)[:, -topk:]
    return [set(rows[row].tolist()) for row in best]


def recall(found: list[list[int]], exact: list[set[int]]) -> float:
    """Compute the share of the exact neighbours that were found."""
    hits = sum(len(set(mine) & theirs) for mine, theirs in zip(found, exact, strict=True))
    return hits / sum(map(len, exact))
