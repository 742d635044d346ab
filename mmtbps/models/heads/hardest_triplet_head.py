"""The head of the triplet loss on the hardest negative."""

from torch import Tensor

from mmtbps.models.losses import hardest_triplet_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class HardestTripletHead(PartHead):
    """Triplet loss on the hardest negative of all processes; see :func:`hardest_triplet_loss`.

    VSE++, https://arxiv.org/abs/1707.05612; SEN has it with weight 10. Features are normalised
    inside.

    Args:
        margin: by how much a pair must lead, in cosine.
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Example:
        >>> HardestTripletHead(loss_weight=10.0).margin
        0.05
    """

    heeds_weights = True

    def __init__(self, margin: float = 0.05, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        self.margin = margin

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_triplet`` of the joined batch of all processes."""
        return self.named('triplet', hardest_triplet_loss(*self.features(pairs), self.margin,
                                                          pairs.gathered(self.part), pairs.weights))
