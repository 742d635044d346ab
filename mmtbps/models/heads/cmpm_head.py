"""The head of cross-modal projection matching."""

from torch import Tensor

from mmtbps.models.losses import cmpm_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class CMPMHead(PartHead):
    """Cross-modal projection matching over all processes' pairs; see :func:`cmpm_loss`.

    Deep Cross-Modal Projection Learning for Image-Text Matching, ECCV 2018. Candidates are
    normalised inside, the rows that look for them are not.

    Args:
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Example:
        >>> CMPMHead(part='tse').part
        'tse'
    """

    heeds_weights = True

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_cmpm`` of the joined batch of all processes."""
        return self.named('cmpm', cmpm_loss(*self.features(pairs), pairs.gathered(self.part),
                                            pair_weights=pairs.weights))
