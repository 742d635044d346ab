"""The contract of a neck, and the feature that its parts make."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.models.backbones.base import Tokens, Tower

__all__ = ['BaseNeck', 'unit_feature']


class BaseNeck(BaseModule):
    """Base of what stands between a tower and the feature, in training and in a search.

    Everything that a feature depends on beside the tower is here; what only training needs is in a
    head. Both necks of a retriever have the same parts.

    Attributes:
        parts: names of the parts of the feature, in order. A loss names the part it takes.
        needs_tokens: whether all tokens of the last layer are read, not only the pooled one.
    """

    parts: tuple[str, ...] = ('global', )
    needs_tokens: bool = False

    @abstractmethod
    def forward(self, tower: Tower, tokens: Tokens) -> dict[str, Tensor]:
        """Turn the tokens of the last layer into the parts of the feature.

        Args:
            tower: the tower they come from, to be asked for ``pool``, ``token_features`` or
                ``attention``.
            tokens: states after its last layer.

        Returns:
            ``(N, D_i)`` of each name in ``parts``, not normalised.
        """

    def project(self, features: Tensor) -> Tensor:
        """Bring pooled features of the tower, ``(..., D)``, to the space of the part ``global``."""
        return features

    def tokens(self, tower: Tower, tokens: Tokens) -> Tensor:
        """Bring every token to the space of the part ``global``, ``(N, P, D_global)``."""
        return self.project(tower.token_features(tokens))


def unit_feature(parts: Mapping[str, Tensor]) -> Tensor:
    """Join the parts of a feature, so that a dot product is the mean of the parts' cosines.

    Args:
        parts: ``(N, D_i)`` of each part, any scale.

    Returns:
        ``(N, sum D_i)`` float32 of length 1.

    Example:
        >>> first, second = torch.tensor([[3., 4.]]), torch.tensor([[2.]])
        >>> feature = unit_feature(dict(all=first, best=second))
        >>> round((feature @ feature.T).item(), 6)
        1.0
    """
    units = [F.normalize(part.float(), dim=-1) for part in parts.values()]
    return units[0] if len(units) == 1 else torch.cat(units, dim=-1) / len(units)**0.5
