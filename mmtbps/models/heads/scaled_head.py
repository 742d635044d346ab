"""Base of heads with one learned temperature."""

import math

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue

from .part_head import PartHead

__all__ = ['ScaledHead']


class ScaledHead(PartHead):
    """Base of heads whose losses share one temperature that is learned, as CLIP's is.

    Args:
        temperature: start value.
        max_scale: ceiling of one over the temperature. Its logarithm ``logit_scale`` is learned and
            may rise beyond; it has to fall as far before the temperature moves again.
        part: the part of the features that the losses take.
        loss_weight: factor of all losses.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.
    """

    def __init__(self, temperature: float = 0.07, max_scale: float = 100.0, part: str = 'global',
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0 or max_scale <= 0:
            raise BadValue('temperature and max_scale must be positive, got '
                           f'{temperature} and {max_scale}')
        self.max_scale = max_scale
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @property
    def temperature(self) -> Tensor:
        """The temperature in force, a scalar tensor with gradient."""
        scale = self.logit_scale.exp()
        # As published: the value is clamped, the gradient is that without a clamp.
        return 1 / (scale + (scale.clamp(max=self.max_scale) - scale).detach())
