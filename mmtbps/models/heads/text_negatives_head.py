"""The head of captions that are wrong in a detail."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import gather, gather_with_grad, text_negatives_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead

AMONG = ('own', 'batch')


@MODELS.register_module()
class TextNegativesHead(PartHead):
    """Contrast of each image with wrong captions of it; see :func:`text_negatives_loss`.

    NegCLIP, https://arxiv.org/abs/2210.01936. It stands beside a contrastive head, which compares
    the captions of the batch with each other. The transform ``PermuteColors`` makes the captions;
    they go through text tower and neck in a second pass. With mixup, an image that is mixed is
    compared with the negatives of its own caption.

    Args:
        temperature: positive number.
        among: ``'batch'``: all captions and all negatives of the batch are candidates of each
            image, as NegCLIP has it; captions of the same person are left out. ``'own'``: the
            image's own caption and negatives alone.
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> TextNegativesHead(among='own').needs
        ('negative_input_ids', 'negative_real')
    """

    needs = ('negative_input_ids', 'negative_real')
    heeds_weights = True

    def __init__(self, temperature: float = 0.02, among: str = 'batch', part: str = 'global',
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0:
            raise BadValue(f'temperature must be positive, got {temperature}')
        if among not in AMONG:
            raise BadValue(f'among must be one of {AMONG}, got {among!r}')
        self.temperature, self.among = temperature, among

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_text_negatives`` of the pairs of this process."""
        image, text, person_ids = self.features(pairs)
        real = pairs.inputs['negative_real'].bool()
        wrong = self.part_of(pairs.encode_text(pairs.inputs['negative_input_ids'],
                                               pairs.inputs['negative_input_ids_mask']))
        wrong = wrong.view(*real.shape, -1)
        more = {}
        if self.among == 'batch':
            everyone = pairs.gathered(self.part)
            more = dict(all_text=everyone.text, all_negatives=gather_with_grad(wrong),
                        all_real=gather(real), first_row=everyone.first_row,
                        same=person_ids[:, None] == everyone.person_ids[None])
        return self.named('text_negatives', text_negatives_loss(
            image, text, wrong, real, self.temperature, pair_weights=pairs.weights, **more))
