"""The head of the sigmoid loss."""

import math

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.losses import sigmoid_loss
from mmtbps.models.losses.info_nce import SAME_PERSON_CHOICES
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class SigmoidHead(PartHead):
    """Sigmoid loss over all processes' pairs, with learned scale and bias; :func:`sigmoid_loss`.

    Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343. Features are
    normalised inside. With the default ``same_person='negative'`` a batch should not hold one
    person twice.

    Args:
        scale: start value of the scale, whose logarithm ``logit_scale`` is learned.
        bias: start value of ``logit_bias``: low, as nearly all couples are no pairs.
        same_person: ``'negative'`` (paper), ``'masked'`` or ``'positive'``.
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = SigmoidHead()
        >>> round(head.logit_scale.exp().item(), 4), head.logit_bias.item()
        (10.0, -10.0)
    """

    heeds_weights = True

    def __init__(self, scale: float = 10.0, bias: float = -10.0, same_person: str = 'negative',
                 part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if scale <= 0 or same_person not in SAME_PERSON_CHOICES:
            raise BadValue(f'scale must be positive and same_person one of {SAME_PERSON_CHOICES}, '
                           f'got {scale} and {same_person!r}')
        self.same_person = same_person
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.logit_bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_sigmoid`` of the joined batch; ``sigmoid_scale`` is to be logged."""
        image, text, person_ids = self.features(pairs)
        scale = self.logit_scale.exp()
        value = sigmoid_loss(image, text, scale, self.logit_bias, person_ids, self.same_person,
                             pairs.gathered(self.part), pairs.weights)
        return dict(self.named('sigmoid', value), sigmoid_scale=scale.detach())
