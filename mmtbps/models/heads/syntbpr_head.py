"""The head of SynTBPR's two contrasts against one blended target."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import blended_contrast
from mmtbps.registry import MODELS

from .pairs import Pairs
from .scaled_head import ScaledHead


@MODELS.register_module()
class SynTBPRHead(ScaledHead):
    """N-ITC and R-ITC against the same blended target, of real and of generated pairs.

    An Empirical Study of Validating Synthetic Data for Text-Based Person Retrieval (SynTBPR),
    https://arxiv.org/abs/2503.22171; see :func:`blended_contrast`. A batch may hold a person any
    number of times. Beyond the publication, a pair counts by its ``pair_weight``, which generated
    pairs have.

    Args:
        share: of the resemblance in the target.
        epsilon: floor of the targets of R-ITC.
        temperature: start value of the learned temperature.
        max_scale: ceiling of one over it, see :class:`ScaledHead`.
        part: the part of the features that the losses take.
        loss_weight: factor of both losses.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> SynTBPRHead().share
        0.005
    """

    heeds_weights = True

    def __init__(self, share: float = 0.005, epsilon: float = 1e-8, temperature: float = 0.07,
                 max_scale: float = 100.0, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(temperature, max_scale, part, loss_weight, init_cfg)
        if not 0 <= share <= 1 or epsilon <= 0:
            raise BadValue(f'share must lie in [0, 1] and epsilon be positive, got {share} and '
                           f'{epsilon}')
        self.share, self.epsilon = share, epsilon

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_nitc`` and ``loss_ritc`` of the joined batch of all processes.

        ``temperature_syntbpr`` is to be logged.
        """
        temperature = self.temperature
        nitc, ritc = blended_contrast(*self.features(pairs), temperature, self.share, self.epsilon,
                                      pairs.weights, pairs.gathered(self.part))
        return dict(self.named('nitc', nitc), **self.named('ritc', ritc),
                    temperature_syntbpr=temperature.detach())
