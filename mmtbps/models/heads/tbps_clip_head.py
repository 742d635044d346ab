"""The head of TBPS-CLIP's contrastive losses, which share one temperature."""

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import (
    GatheredPairs,
    cyclic_loss,
    gather,
    gather_with_grad,
    reverse_contrastive_loss,
    soft_label_contrastive_loss,
    soft_labels,
)
from mmtbps.registry import MODELS

from .pairs import Pairs
from .scaled_head import ScaledHead


@MODELS.register_module()
class TBPSCLIPHead(ScaledHead):
    """Normalised, reversed and cyclic contrast (N-ITC, R-ITC, C-ITC) with one learned temperature.

    An Empirical Study of CLIP for Text-Based Person Search (TBPS-CLIP),
    https://arxiv.org/abs/2308.10045; the functions are :func:`soft_label_contrastive_loss`,
    :func:`reverse_contrastive_loss` and :func:`cyclic_loss`. Features are normalised inside; a
    batch may hold a person any number of times. The simplified recipe has ``citc_weight=0`` and no
    ``second_view``. A weight of 0 leaves a loss out.

    Args:
        nitc_weight: factor of N-ITC.
        ritc_weight: factor of R-ITC.
        citc_weight: factor of C-ITC; the full recipe has 0.1.
        soft_share: share of the model's own labels in N-ITC, from a second forward pass with
            dropout of its own. It rises from 0 in the course of the first pass over the data. With
            0 there is no second forward pass.
        second_view: multi-view supervision (MVS): name of a second augmentation of the images in
            the batch, which the transform ``ImageView`` makes. N-ITC is then the mean of both with
            the captions, each with labels of its own.
        epsilon: floor of the true matches in R-ITC.
        temperature: start value.
        max_scale: ceiling of one over the temperature. Its logarithm ``logit_scale`` is learned and
            may rise beyond; it has to fall as far before the temperature moves again.
        part: the part of the features that the losses take.
        loss_weight: factor of all losses.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = TBPSCLIPHead(citc_weight=0.1, second_view='image_2')
        >>> head.needs, round(head.logit_scale.exp().item(), 2)
        (('image_2',), 14.29)
    """

    heeds_weights = True

    def __init__(self, nitc_weight: float = 1.0, ritc_weight: float = 1.0,
                 citc_weight: float = 0.0, soft_share: float = 0.5,
                 second_view: str | None = None, epsilon: float = 1e-2, temperature: float = 0.07,
                 max_scale: float = 100.0, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(temperature, max_scale, part, loss_weight, init_cfg)
        self.weights = dict(nitc=nitc_weight, ritc=ritc_weight, citc=citc_weight)
        if min(self.weights.values()) < 0 or not any(self.weights.values()):
            raise BadValue(f'weights must not be negative, nor all 0, got {self.weights}')
        if not 0 <= soft_share <= 1 or epsilon <= 0:
            raise BadValue('soft_share must lie in [0, 1] and epsilon be positive, got '
                           f'{soft_share} and {epsilon}')
        self.soft_share, self.epsilon, self.second_view = soft_share, epsilon, second_view
        self.needs = (second_view, ) if second_view else ()

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute the losses of the joined batch; ``temperature_tbps_clip`` is to be logged."""
        image, text, person_ids = self.features(pairs)
        everyone, temperature, losses = pairs.gathered(self.part), self.temperature, {}
        if self.weights['nitc']:
            losses['nitc'] = self._normalised_contrast(pairs, temperature)
        if self.weights['ritc']:
            losses['ritc'] = reverse_contrastive_loss(image, text, person_ids, temperature,
                                                      self.epsilon, everyone, pairs.weights)
        if self.weights['citc']:
            losses['citc'] = cyclic_loss(image, text, everyone, pairs.weights)
        named = {}
        for name, value in losses.items():
            named.update(self.named(name, self.weights[name] * value))
        return dict(named, temperature_tbps_clip=temperature.detach())

    def _normalised_contrast(self, pairs: Pairs, temperature: Tensor) -> Tensor:
        """Compute N-ITC of the images, or the mean with that of their second view."""
        image, text, person_ids = self.features(pairs)
        everyone, again = pairs.gathered(self.part), None
        if self.soft_share:
            with torch.no_grad():
                again = [self.part_of(side) for side in pairs.encode_again()]
        share = self.soft_share * pairs.progress.first_pass

        def contrast(images: Tensor, joined: GatheredPairs, images_again: Tensor | None) -> Tensor:
            soft = None if again is None else soft_labels(
                images_again, again[1], temperature, GatheredPairs(
                    gather(images_again), gather(again[1]), None, joined.first_row))
            return soft_label_contrastive_loss(images, text, person_ids, temperature, soft, share,
                                               joined, pairs.weights)

        loss = contrast(image, everyone, again and again[0])
        if self.second_view:
            view, view_again = self._encode_view(pairs)
            joined = everyone._replace(image=gather_with_grad(view))
            loss = (loss + contrast(view, joined, view_again)) / 2
        return loss

    def _encode_view(self, pairs: Pairs) -> tuple[Tensor, Tensor | None]:
        """Encode the second view, and once more for its own labels."""
        images, again = pairs.inputs[self.second_view], None
        if self.soft_share:
            with torch.no_grad():
                again = self.part_of(pairs.encode_image(images))
        return self.part_of(pairs.encode_image(images)), again
