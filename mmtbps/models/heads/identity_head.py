"""The head of classification by person."""

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.losses import identity_loss
from mmtbps.models.losses.identity import check_classes
from mmtbps.registry import MODELS

from .pairs import Pairs, person_ids_of
from .part_head import PartHead


@MODELS.register_module()
class IdentityHead(PartHead):
    """One linear classifier of people for both sides; see :func:`identity_loss`.

    Dual-Path Convolutional Image-Text Embeddings with Instance Loss,
    https://arxiv.org/abs/1711.05535, as in IRRA. Features are not normalised. The people of a
    training split are numbered from 0 by its data set.

    Args:
        num_classes: people of the training split: 11003 of CUHK-PEDES, 3102 of ICFG-PEDES, 3701 of
            RSTPReid.
        in_dims: width of the part.
        part: the part of the features that is classified.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: there is no class.

    Example:
        >>> IdentityHead(num_classes=11003).classifier
        Linear(in_features=512, out_features=11003, bias=True)
    """

    heeds_weights = True

    def __init__(self, num_classes: int, in_dims: int = 512, part: str = 'global',
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if num_classes < 1:
            raise BadValue(f'num_classes must be the number of people, got {num_classes}')
        self.classifier = nn.Linear(in_dims, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_id``, a mean over the pairs of this process.

        Raises:
            BadValue: a person is no class, or the part of another width.
        """
        if samples:  # on the CPU; people on the device would have to be waited for
            check_classes(person_ids_of(samples, torch.device('cpu')),
                          self.classifier.out_features)
        image, text, person_ids = self.features(pairs)
        self.check_width(image, self.classifier.in_features)
        return self.named('id', identity_loss(self.classifier(image), self.classifier(text),
                                              person_ids, pairs.weights))
