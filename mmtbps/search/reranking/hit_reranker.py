"""Second stage of a search: the first hits are ordered anew by a model that sees the pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image

from mmtbps.errors import BadValue, UserError
from mmtbps.evaluation import SecondStage, check_share, rerank_scores

from ..galleries.base import GalleryEntry, Hit

__all__ = ['HitReranker', 'Reranked']


@dataclass(frozen=True)
class Reranked:
    """The hits of a query in their new order.

    Args:
        hits: best first; those that the second stage has seen have a ``match``.
        lost: paths of the pictures that it could not read; their hits stand behind those it saw.
    """

    hits: list[Hit]
    lost: tuple[str, ...] = ()


class HitReranker:
    """Order of the first hits of a search by a second stage.

    Args:
        stage: a `PairMatcher`.
        k: hits that it sees.
        weight: share of the first stage's score, see `mmtbps.evaluation.rerank_scores`.

    Raises:
        BadValue: ``k`` is no whole number from 1, or ``weight`` not finite.
    """

    def __init__(self, stage: SecondStage, k: int = 50, weight: float = 0.) -> None:
        check_share(k, weight)
        self.stage, self.k, self.weight = stage, k, weight

    def __call__(self, text: str, hits: Sequence[Hit],
                 read: Callable[[GalleryEntry], Image.Image]) -> Reranked:
        """Order the first hits anew; the others follow as they are.

        Args:
            text: the sentence.
            hits: best first.
            read: gives the crop of an entry.

        Raises:
            BadValue: the second stage gave scores that are no numbers.
        """
        seen, pictures, lost = [], [], []
        for hit in hits[:self.k]:
            try:
                pictures.append(read(hit.entry))
                seen.append(hit)
            except (UserError, OSError):
                lost.append(hit)
        places = torch.arange(len(seen))[None]
        matches = self.stage.match([text], pictures, places) if seen else torch.empty(1, 0)
        if not matches.isfinite().all():
            raise BadValue(f'{self.stage} gave scores that are no numbers')
        scores = torch.tensor([[hit.score for hit in seen]])
        order = rerank_scores(scores, places, matches, self.weight)[0].argsort(descending=True)
        found = [replace(seen[place], match=float(matches[0, place])) for place in order.tolist()]
        return Reranked([*found, *lost, *hits[self.k:]], tuple(hit.entry.path for hit in lost))
