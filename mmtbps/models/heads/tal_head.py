"""The head of the triplet alignment loss."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import triplet_alignment_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class TALHead(PartHead):
    """Triplet alignment loss over all processes' pairs; see :func:`triplet_alignment_loss`.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, which has one such head for each part of
    ``TokenSelectionNeck``. Features are normalised inside. The losses of pairs are summed over the
    joined batch, not averaged, each times its own weight and that in ``pair_weights``.

    Args:
        part: the part of the features that the loss takes.
        temperature: positive number.
        margin: by how much a pair must lead, in cosine.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Attributes:
        pair_weights: ``(rows of the data set,)`` weight of each pair on the device, which
            ``ConsensusDivisionHook`` sets; ``None`` for 1 everywhere.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> TALHead(part='tse').temperature
        0.015
    """

    heeds_weights = True

    def __init__(self, part: str = 'global', temperature: float = 0.015, margin: float = 0.1,
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0:
            raise BadValue(f'temperature must be positive, got {temperature}')
        self.temperature, self.margin = temperature, margin
        self.pair_weights: Tensor | None = None

    def pair_losses(self, pairs: Pairs, joined: bool = True) -> Tensor:
        """Compute the loss of each pair of this process, ``(N,)``, without weights.

        Args:
            pairs: the batch.
            joined: look for negatives in the batches of all processes.
        """
        return triplet_alignment_loss(
            *self.features(pairs), self.temperature, self.margin,
            gathered=pairs.gathered(self.part) if joined else None)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_tal``, the weighted sum over the joined batch of all processes.

        Raises:
            BadValue: pairs have weights, and the samples do not say which they are.
        """
        losses = self.pair_losses(pairs)
        if self.pair_weights is not None:
            if pairs.rows is None:
                raise BadValue("TALHead: pairs have weights, but their samples have no "
                               "'sample_idx'; keep it in meta_keys of PackTextImage")
            losses = losses * self.pair_weights[pairs.rows]
        if pairs.weights is not None:
            losses = losses * pairs.weights
        # The retriever takes the mean over processes.
        processes = len(pairs.gathered(self.part).image) // len(losses)
        return self.named('tal', losses.sum() * processes)
