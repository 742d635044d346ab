"""Base of heads that take one part of the features."""

from torch import Tensor

from mmtbps.errors import BadValue, MissingKey

from .base import BaseHead
from .pairs import EncodedSide, Pairs

__all__ = ['PartHead']


class PartHead(BaseHead):
    """Base of heads whose loss takes one part of the features, with a weight.

    Args:
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: the weight is negative.
    """

    def __init__(self, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if loss_weight < 0:
            raise BadValue(f'loss_weight must not be negative, got {loss_weight}')
        self.part, self.loss_weight = part, loss_weight

    def features(self, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Take the images, captions and people of the pairs, ``(N, D)`` twice and ``(N,)``.

        Raises:
            MissingKey: the necks do not give the part.
        """
        return self.part_of(pairs.image), self.part_of(pairs.text), pairs.person_ids

    def part_of(self, side: EncodedSide) -> Tensor:
        """Take the part of one side, ``(N, D)``.

        Raises:
            MissingKey: its neck does not give the part.
        """
        if self.part not in side.parts:
            raise MissingKey(f'{type(self).__name__}: part {self.part!r} is none of those that the '
                             f'necks give, {sorted(side.parts)}')
        return side.parts[self.part]

    def check_width(self, features: Tensor, in_dims: int) -> None:
        """Check that features of the part, ``(N, D)``, are as wide as a layer takes them.

        Raises:
            BadValue: they are not.
        """
        if features.shape[1] != in_dims:
            raise BadValue(
                f'{type(self).__name__}: part {self.part!r} is {features.shape[1]} wide, in_dims '
                f'is {in_dims}; set in_dims={features.shape[1]}')

    def named(self, name: str, value: Tensor) -> dict[str, Tensor]:
        """Name a weighted loss: ``loss_NAME``, or ``loss_NAME_PART`` of another part."""
        key = f'loss_{name}' if self.part == 'global' else f'loss_{name}_{self.part}'
        return {key: self.loss_weight * value}
