"""The head of sentences that say a part of a caption."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import (
    count_known,
    gather_padded,
    gather_with_grad,
    partial_caption_loss,
)
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class PartialCaptionHead(PartHead):
    """Contrast of images with short sentences, true of some of them, false of others.

    A contrastive head takes every other image of the batch for a wrong one. Of "a red coat" that
    is not so; here an image counts as right where its own caption states all that the sentence
    says, as wrong where it rules a part of it out, and not at all where it leaves it open; see
    :func:`partial_caption_loss`. It stands beside a contrastive head. The transform
    ``PartialCaptions`` makes the sentences; they go through text tower and neck in a second pass.

    Args:
        temperature: positive number.
        part: the part of the features that the loss takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> PartialCaptionHead().needs
        ('partial_input_ids', 'partial_facts', 'true_facts', 'false_facts')
    """

    needs = ('partial_input_ids', 'partial_facts', 'true_facts', 'false_facts')
    heeds_weights = True
    no_mixup = 'compares images with facts of their own caption, which a mixed image has not'

    def __init__(self, temperature: float = 0.1, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0:
            raise BadValue(f'temperature must be positive, got {temperature}')
        self.temperature = temperature

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_partial_caption`` of the pairs of this process."""
        image, inputs = self.part_of(pairs.image), pairs.inputs
        text = self.part_of(pairs.told_anew('partial_input_ids').text)
        asked, *known = ((inputs[name], inputs[f'{name}_mask']) for name in self.needs[1:])
        forth = partial_caption_loss(image, gather_with_grad(text),
                                     *truth(gather_padded(*asked), *known),
                                     self.temperature, pairs.weights)
        true, false = truth(asked, *(gather_padded(*facts) for facts in known))
        back = partial_caption_loss(text, pairs.gathered(self.part).image, true.T, false.T,
                                    self.temperature, pairs.weights_of_several(len(text)))
        return self.named('partial_caption', (forth + back) / 2)


def truth(asked: tuple[Tensor, Tensor], true_facts: tuple[Tensor, Tensor],
          false_facts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Tell of which images sentences are true, and of which they are false.

    Args:
        asked: ``(M, G)`` facts of each sentence and their bool mask.
        true_facts: ``(N, F)`` facts of each image and their mask.
        false_facts: ``(N, F')`` likewise.

    Returns:
        ``(N, M)`` bool twice. Neither holds of a sentence without facts.
    """
    counts = asked[1].sum(1)
    return ((count_known(*asked, *true_facts) == counts) & (counts > 0),
            count_known(*asked, *false_facts) > 0)
