"""The hardness-aware contrastive head."""

import math

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.losses import info_nce, neighbour_weights
from mmtbps.models.losses.info_nce import SAME_PERSON_CHOICES
from mmtbps.registry import MODELS

from .base import BaseHead
from .pairs import Pairs


@MODELS.register_module()
class HardnessAwareContrastiveHead(BaseHead):
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
        part: the part of the features that the loss takes.
        name: of the loss in the log, ``loss_NAME``; two such heads, each on a part, need two.
        init_cfg: as in every MMEngine module.
        soft_share: share of soft labels in the targets, as SynTBPR has them (0.005); see
            :func:`~mmtbps.models.losses.blend_targets`. 0 for the paper's.
        neighbours: options of :func:`~mmtbps.models.losses.neighbour_weights`, such as
            ``dict(nearest=5)``: negatives whose captions resemble that of the pair, by the features
            of the joined batch, are weighed less. ``None`` for the paper's.

    Raises:
        ValueError: an option is out of its range or missing.

    Example:
        >>> from mmtbps.models.heads import EncodedSide
        >>> eye = EncodedSide({'global': torch.eye(2)})
        >>> head = HardnessAwareContrastiveHead(temperature=1.0)
        >>> losses = head(Pairs(eye, eye, person_ids=torch.arange(2)), samples=[])
        >>> round(losses['loss_contrastive'].item(), 4)
        0.3133
    """

    heeds_weights = True

    def __init__(self,
                 temperature: float = 0.005,
                 learnable: bool = False,
                 min_temperature: float = 0.001,
                 same_person: str = 'negative',
                 part: str = 'global',
                 name: str = 'contrastive',
                 init_cfg: dict | list | None = None,
                 soft_share: float = 0.0,
                 neighbours: dict | None = None):
        super().__init__(init_cfg)
        if temperature <= 0 or min_temperature <= 0:
            raise ValueError('temperature and min_temperature must be positive, got '
                             f'{temperature} and {min_temperature}')
        if same_person not in SAME_PERSON_CHOICES:
            raise ValueError(
                f'same_person must be one of {SAME_PERSON_CHOICES}, got {same_person!r}')
        if not 0 <= soft_share <= 1 or (soft_share and same_person == 'masked'):
            raise BadValue("soft_share must lie in [0, 1], and be 0 with same_person='masked', "
                           f'got {soft_share}')
        if neighbours is not None:
            _check_neighbours(neighbours)
        self.neighbours = neighbours
        self.same_person, self.part, self.name = same_person, part, name
        self.soft_share = soft_share
        self.min_temperature = min_temperature
        self.learnable = learnable
        self._temperature = temperature
        if learnable:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    @property
    def temperature(self) -> float | Tensor:
        """The temperature in force; a scalar tensor with gradient when learnable."""
        if not self.learnable:
            return self._temperature
        with torch.no_grad():  # clamping the value, not the graph: it can rise again
            self.log_temperature.clamp_(min=math.log(self.min_temperature))
        return self.log_temperature.exp()

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute the loss of the joined batch of all processes.

        Args:
            pairs: the batch; its part ``part`` is taken.
            samples: not needed.

        Returns:
            ``loss_contrastive``, and ``temperature`` to be logged when it is learnable; with
            another ``name``, ``loss_NAME`` and ``temperature_NAME``.
        """
        everyone, weights = pairs.gathered(self.part), None
        if self.neighbours is not None:
            rows = slice(everyone.first_row, everyone.first_row + len(pairs.person_ids))
            weights = neighbour_weights(everyone.text, everyone.person_ids,
                                        **self.neighbours)[rows]
        losses = {f'loss_{self.name}': info_nce(
            pairs.image.parts[self.part], pairs.text.parts[self.part], self.temperature,
            pairs.person_ids, self.same_person, everyone.image, everyone.text,
            everyone.person_ids, everyone.first_row, pairs.weights, self.soft_share,
            weights)}
        if self.learnable:
            suffix = '' if self.name == 'contrastive' else f'_{self.name}'
            losses[f'temperature{suffix}'] = self.temperature.detach()
        return losses


def _check_neighbours(options: dict) -> None:
    """Try out options of the weights, of which a wrong one would be found at the first step."""
    try:
        neighbour_weights(torch.eye(2, device='cpu'), **options)
    except (TypeError, ValueError) as error:
        raise BadValue(f'neighbours: {error}; got {dict(options)}') from error
