"""Base of heads around another head, whose pairs they change."""

from abc import abstractmethod

from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import BaseHead
from .pairs import Pairs

__all__ = ['WrappingHead']


class WrappingHead(BaseHead):
    """Base of heads that hand changed pairs to a head inside.

    Args:
        head: the head inside, any of ours or yours.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: it is no head.
    """

    needs_tokens = True

    def __init__(self, head: dict, init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        self.head = MODELS.build(head)
        if not isinstance(self.head, BaseHead):
            raise BadValue(f'{type(self).__name__}: head must be a head, got '
                           f'{type(self.head).__name__}')
        self.part, self.needs = self.head.part, tuple(self.head.needs)
        self.heeds_weights = self.head.heeds_weights

    def misfit(self, retriever: nn.Module) -> str:
        """Return why this head or the one inside cannot train a retriever; '' if they can."""
        return super().misfit(retriever) or self.head.misfit(retriever)

    @abstractmethod
    def change(self, pairs: Pairs) -> tuple[Pairs, dict[str, Tensor]]:
        """Return the pairs for the head inside, and scalars to be logged."""

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute the losses of the head inside on the changed pairs."""
        pairs, logged = self.change(pairs)
        return {**self.head(pairs, samples), **logged}
