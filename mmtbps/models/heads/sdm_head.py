"""The head of similarity distribution matching."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import sdm_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class SDMHead(PartHead):
    """Similarity distribution matching over all processes' pairs; see :func:`sdm_loss`.

    Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval (IRRA),
    https://arxiv.org/abs/2303.12501. Features are normalised inside; a batch may hold a person any
    number of times.

    Args:
        temperature: positive number.
        adaptive: FMFA's extra weight of rows whose best candidate is another person; it has 0.1.
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> SDMHead(adaptive=0.1).temperature
        0.02
    """

    heeds_weights = True

    def __init__(self, temperature: float = 0.02, adaptive: float = 0.0, part: str = 'global',
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0 or adaptive < 0:
            raise BadValue('temperature must be positive and adaptive not negative, got '
                           f'{temperature} and {adaptive}')
        self.temperature, self.adaptive = temperature, adaptive

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_sdm`` of the joined batch of all processes."""
        return self.named('sdm', sdm_loss(*self.features(pairs), self.temperature, self.adaptive,
                                          pairs.gathered(self.part),
                                          pair_weights=pairs.weights))
