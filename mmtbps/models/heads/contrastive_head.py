"""The hardness-aware contrastive head."""

import math

import torch
from mmengine.dist import get_rank
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtbps.models.losses import average_value, gather, gather_with_grad, info_nce
from mmtbps.models.losses.info_nce import SAME_PERSON_CHOICES
from mmtbps.registry import MODELS


@MODELS.register_module()
class HardnessAwareContrastiveHead(BaseModule):
    """InfoNCE over all processes' pairs, at a low temperature.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084: nothing but this loss is on top of the two towers.

    Requires a batch of (image, caption) pairs, one caption an image. With the default
    ``same_person='negative'`` a batch should not hold one person twice: use
    ``UniquePersonBatchSampler``.

    Args:
        temperature: fixed value, or the start value when ``learnable``.
        learnable: learn the logarithm of the temperature.
        min_temperature: floor of a learnable temperature.
        same_person: ``'negative'`` (paper), ``'masked'`` or ``'positive'``; see
            :func:`~mmtbps.models.losses.info_nce`.
        projection_dims: width of one bias-free linear layer on each tower; ``None`` for none.
        image_dims: width of the image features; needed with ``projection_dims``.
        text_dims: width of the text features; needed with ``projection_dims``.
        init_cfg: as in every MMEngine module.

    Raises:
        ValueError: an option is out of its range or missing.

    Example:
        >>> from mmengine.structures import BaseDataElement
        >>> head = HardnessAwareContrastiveHead(temperature=1.0)
        >>> people = [BaseDataElement(metainfo=dict(person_id=i)) for i in range(2)]
        >>> round(head.loss(torch.eye(2), torch.eye(2), people)['loss_contrastive'].item(), 4)
        0.3133
    """

    def __init__(self,
                 temperature: float = 0.005,
                 learnable: bool = False,
                 min_temperature: float = 0.001,
                 same_person: str = 'negative',
                 projection_dims: int | None = None,
                 image_dims: int | None = None,
                 text_dims: int | None = None,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if temperature <= 0 or min_temperature <= 0:
            raise ValueError('temperature and min_temperature must be positive, got '
                             f'{temperature} and {min_temperature}')
        if same_person not in SAME_PERSON_CHOICES:
            raise ValueError(
                f'same_person must be one of {SAME_PERSON_CHOICES}, got {same_person!r}')
        if projection_dims and not (image_dims and text_dims):
            raise ValueError('projection_dims needs image_dims and text_dims')
        self.same_person = same_person
        self.min_temperature = min_temperature
        self.learnable = learnable
        self._temperature = temperature
        if learnable:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.image_projection = self.text_projection = nn.Identity()
        if projection_dims:
            self.image_projection = nn.Linear(image_dims, projection_dims, bias=False)
            self.text_projection = nn.Linear(text_dims, projection_dims, bias=False)

    @property
    def temperature(self) -> float | Tensor:
        """The temperature in force; a scalar tensor with gradient when learnable."""
        if not self.learnable:
            return self._temperature
        with torch.no_grad():  # clamping the value, not the graph: it can rise again
            self.log_temperature.clamp_(min=math.log(self.min_temperature))
        return self.log_temperature.exp()

    def loss(self, image: Tensor, text: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Loss of the joined batch of all processes.

        Args:
            image: ``(N, D)`` features of this process, not normalised.
            text: ``(N, D)`` features, row i belonging to image i.
            data_samples: N samples with ``person_id``.

        Returns:
            ``loss_contrastive``, and ``temperature`` to be logged when it is learnable.
        """
        image, text = self.image_projection(image), self.text_projection(text)
        person_ids = torch.tensor([s.person_id for s in data_samples])
        person_ids = person_ids.to(image.device, non_blocking=True)
        value = info_nce(
            image, text, self.temperature, person_ids, self.same_person,
            gather_with_grad(image), gather_with_grad(text), gather(person_ids),
            first_row=get_rank() * len(image))
        losses = dict(loss_contrastive=average_value(value))
        if self.learnable:
            losses['temperature'] = self.temperature.detach()
        return losses
