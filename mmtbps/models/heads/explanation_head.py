"""The head that weighs pairs by the consistency of their explanations, around any other head."""

from dataclasses import replace

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import (
    change_weights,
    gather,
    heat_change,
    person_area,
    swap_background,
)
from mmtbps.models.losses.scores import unit
from mmtbps.registry import MODELS

from .pairs import EncodedSide, Pairs
from .wrapping_head import WrappingHead


@MODELS.register_module()
class ExplanationWeightHead(WrappingHead):
    """A head whose pairs weigh more the more a new background moves their heat-maps.

    After an idea for the classification of images, https://arxiv.org/abs/2408.04600, known by its
    abstract: a sample weighs more the more its explanation changes when only the background is
    perturbed. All else is our interpretation:

    - the heat of a patch is the cosine of the caption with what the patch gives to the image's
      feature (``single_tokens``);
    - the person stands in an ellipse in the middle of the crop; what lies outside is taken from
      another image of the batch, and only patches inside are compared, as the others are new;
    - the change is (1 - correlation) / 2, and a weight grows with its ratio to the mean.

    No gradient goes through the weights. Images go through their tower a second time. Backgrounds
    are of this process, so several processes do not equal one with the joined batch.

    Args:
        head: the head whose losses are weighed, one that heeds weights of pairs:
            ``HardnessAwareContrastiveHead`` or ``SynTBPRHead``.
        strength: 0 for weights of 1; the least weight is 1 / (1 + strength).
        area: shares of height and width of the crop that the person takes.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range, or the head inside heeds no weights.

    Example:
        >>> ExplanationWeightHead(dict(type='HardnessAwareContrastiveHead')).strength
        1.0
    """

    no_mixup = 'compares images with the same on another background, which are not mixed'

    def __init__(self, head: dict, strength: float = 1.0,
                 area: tuple[float, float] = (0.95, 0.6), init_cfg: dict | list | None = None):
        super().__init__(head, init_cfg)
        if not self.head.heeds_weights:
            raise BadValue(f'{type(self.head).__name__} heeds no weights of pairs, so that '
                           'ExplanationWeightHead would change nothing: take one that has '
                           'heeds_weights = True')
        if strength < 0 or len(area) != 2 or min(area) <= 0:
            raise BadValue('strength must not be negative and area be two positive shares, got '
                           f'{strength} and {area}')
        self.strength, self.area = strength, tuple(area)
        self.heeds_weights = True

    def change(self, pairs: Pairs) -> tuple[Pairs, dict[str, Tensor]]:
        """Weigh the pairs; log the mean change of their heat-maps.

        Raises:
            BadValue: the image tower has no grid of patches.
        """
        grid = pairs.image.grid
        if grid is None:
            raise BadValue('ExplanationWeightHead needs an image tower over patches, which has a '
                           'grid')
        with torch.no_grad():
            images = pairs.images
            inside = person_area(*images.shape[-2:], self.area, images.device)
            changed = pairs.encode_image(swap_background(images, inside))
            text = pairs.text.parts['global']
            patches = person_area(*grid, self.area, images.device).flatten()
            change = heat_change(_heat(pairs.image, text, grid), _heat(changed, text, grid),
                                 patches)
            average = gather(change).mean()
            weights = change_weights(change, average, self.strength)
            if pairs.weights is not None:
                weights = weights * pairs.weights
        return replace(pairs, weights=weights), dict(heat_change=average)


def _heat(side: EncodedSide, text: Tensor, grid: tuple[int, int]) -> Tensor:
    """Compute the cosines of patches with the caption, ``(N, P)``."""
    patches = side.single_tokens[:, -grid[0] * grid[1]:].detach()
    return (unit(patches) * unit(text.detach())[:, None]).sum(-1)
