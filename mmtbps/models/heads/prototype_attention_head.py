"""The head of attention that prototypes of people teach."""

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import attention_distillation_loss, gather, move_prototypes
from mmtbps.models.losses.identity import check_classes
from mmtbps.registry import MODELS

from .pairs import Pairs, person_ids_of
from .part_head import PartHead


@MODELS.register_module()
class PrototypeAttentionHead(PartHead):
    """An image's attention to its patches, taught by what a prototype of the person looks at.

    After the idea of Prototype-Guided Attention Distillation for Discriminative Person Search
    (PAD), IEEE TPAMI 2024, https://doi.org/10.1109/TPAMI.2024.3461778, which searches people in
    whole scenes by an image, and of which an abstract is known and no code: there a prototype of
    each person asks for its places in a scene, the attention of a single query is distilled to be
    like that, and an adaptive momentum makes prototypes more distinct. Here prototypes are of
    *captions*, which is our interpretation, as are the formulas: one prototype a person, without
    parts, a running mean of the features of the captions that takes more of what is further from
    it; the attention is the softmax of the cosines with the patches.

    The prototypes are buffers of the head, and in the checkpoints of a run. Before the first
    caption of a person its prototype is that of the pair itself. A pair counts by its weight in the
    loss alone; captions move their prototype all alike.

    Args:
        num_classes: people of the training split, as of ``IdentityHead``.
        dims: width of the part ``global``.
        temperature: of both attentions.
        rate: how fast prototypes move, see :func:`move_prototypes`.
        class_tokens: tokens of an image that stand for no patch; ``None`` for those of the tower.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> PrototypeAttentionHead(num_classes=3, dims=4).prototypes.shape
        torch.Size([3, 4])
    """

    needs_tokens = True
    heeds_weights = True

    def __init__(self, num_classes: int, dims: int = 512, temperature: float = 0.1,
                 rate: float = 1.0, class_tokens: int | None = None, loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        if num_classes < 1 or temperature <= 0 or rate <= 0 or (class_tokens or 0) < 0:
            raise BadValue('num_classes, temperature and rate must be positive, class_tokens not '
                           f'negative, got {num_classes}, {temperature}, {rate}, {class_tokens}')
        self.temperature, self.rate, self.class_tokens = temperature, rate, class_tokens
        self.register_buffer('prototypes', torch.zeros(num_classes, dims))
        self.register_buffer('seen', torch.zeros(num_classes, dtype=torch.bool))

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_prototype``, a mean over the pairs of this process; move the prototypes.

        Raises:
            BadValue: a person is no class.
        """
        if samples:  # on the CPU; people on the device would have to be waited for
            check_classes(person_ids_of(samples, torch.device('cpu')), len(self.prototypes))
        image, text, people = self.features(pairs)
        first = pairs.image.class_tokens if self.class_tokens is None else self.class_tokens
        prototypes, seen = move_prototypes(self.prototypes, self.seen, gather(text.detach()),
                                           gather(people), self.rate)
        if self.training:
            self.prototypes.copy_(prototypes)
            self.seen.copy_(seen)
        return self.named('prototype', attention_distillation_loss(
            image, prototypes[people].to(image.dtype), pairs.image.tokens[:, first:],
            self.temperature, pairs.weights))
