"""Interface of a refinement: a second look at the scores of a chunk of queries."""

from abc import ABC, abstractmethod

from torch import Tensor

__all__ = ['Refinement']


class Refinement(ABC):
    """Second look at the scores of some queries against a whole gallery.

    Refinements act one after the other, each on the scores of the one before. What a query gets
    should not depend on the other queries: a number of a test set is then what each user would
    see. One that does says so in its words.
    """

    def prepare(self, queries: Tensor, gallery: Tensor) -> None:  # noqa: B027
        """Compute once what the whole gallery is needed for.

        Args:
            queries: ``(Q, D)`` float32, of length 1; all of them.
            gallery: ``(N, D)`` float32, of length 1.
        """

    @abstractmethod
    def __call__(self, queries: Tensor, gallery: Tensor, scores: Tensor, rows: slice) -> Tensor:
        """Refine the scores of some queries.

        Args:
            queries: ``(Q, D)`` float32, of length 1.
            gallery: ``(N, D)``, as `prepare` got it.
            scores: ``(Q, N)``, higher is better; ``-inf`` is out of the ranking and has to stay so.
            rows: place of these queries among all.

        Returns:
            ``(Q, N)`` new scores.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Word the refinement and its settings for the protocol line."""
