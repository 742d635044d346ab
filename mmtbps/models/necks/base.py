"""The contract of a neck, and the feature that its parts make."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.backbones.base import Tokens, Tower

__all__ = ['BaseNeck', 'check_necks', 'unit_feature']


class BaseNeck(BaseModule):
    """Base of what stands between a tower and the feature, in training and in a search.

    Everything that a feature depends on beside the tower is here; what only training needs is in a
    head. Both necks of a retriever have the same parts.

    Attributes:
        parts: names of the parts of the feature, in order. A loss names the part it takes.
        needs_tokens: whether all tokens of the last layer are read, not only the pooled one.
        dims: width of each part, as far as a neck says it.
    """

    parts: tuple[str, ...] = ('global', )
    needs_tokens: bool = False
    dims: Mapping[str, int] = {}

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


def check_necks(image: BaseNeck, text: BaseNeck) -> None:
    """Check that the features of two necks can be compared by a dot product.

    Raises:
        BadValue: they have other parts, or one part in two widths.

    Example:
        >>> from mmtbps.models.necks import ProjectionNeck
        >>> check_necks(ProjectionNeck(768), ProjectionNeck(512))
        Traceback (most recent call last):
        mmtbps.errors.BadValue: the part 'global' has 768 numbers for images and 512 for captions; \
a dot product needs the same: image_neck and text_neck=dict(type='ProjectionNeck', \
out_dims=512) bring both to one width
    """
    if image.parts != text.parts:
        raise BadValue(f'image_neck has the parts {image.parts}, text_neck {text.parts}; a dot '
                       'product needs the same')
    for part in image.dims.keys() & text.dims.keys():
        one, other = image.dims[part], text.dims[part]
        if one != other:
            cure = (f"image_neck and text_neck=dict(type='ProjectionNeck', out_dims="
                    f'{min(one, other)}) bring both to one width' if part == 'global' else
                    'give both necks the same settings')
            raise BadValue(f'the part {part!r} has {one} numbers for images and {other} for '
                           f'captions; a dot product needs the same: {cure}')


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
