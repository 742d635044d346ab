"""The head of a cross-encoder that tells pairs that match from hard ones that do not."""

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import draw_hard_negatives, matching_loss
from mmtbps.registry import MODELS

from .pairs import Fusion, Pairs
from .part_head import PartHead

__all__ = ['MatchingHead', 'fusion_of']


def fusion_of(pairs: Pairs, head: object) -> Fusion:
    """Return what compares images with captions.

    Raises:
        BadValue: the retriever is no cross-encoder.
    """
    if pairs.fusion is None:
        raise BadValue(f'{type(head).__name__} compares images with captions word by word, which '
                       'a CrossEncoderRetriever can; this retriever encodes them apart')
    return pairs.fusion


@MODELS.register_module()
class MatchingHead(PartHead):
    """Image-text matching (ITM): one matching pair against two hard negatives.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651, with people told apart as in APTM,
    https://arxiv.org/abs/2306.02898: for each pair of the batch an image of another person is drawn
    for its caption and a caption for its image, see
    :func:`~mmtbps.models.losses.draw_hard_negatives`; the retriever's classifier judges all three.

    Negatives are of this process, as published, so several processes do not equal one with the
    joined batch. The published draw takes the learned temperature of the contrastive loss; here it
    is a setting. The negatives drawn for a pair weigh what the pair does.

    Args:
        temperature: of the draw.
        part: the part of the features by which negatives are hard.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: the temperature is not positive.

    Example:
        >>> MatchingHead().needs_tokens
        True
    """

    needs_tokens = True
    heeds_weights = True

    def __init__(self, temperature: float = 0.07, part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if temperature <= 0:
            raise BadValue(f'temperature must be positive, got {temperature}')
        self.temperature = temperature

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_itm``, a mean over the matching pairs and both kinds of negatives."""
        fusion = fusion_of(pairs, self)
        images, captions = draw_hard_negatives(*self.features(pairs), self.temperature)
        own = torch.arange(len(images), device=images.device)
        # The pairs themselves, then an image for each caption, then a caption for each image. Where
        # there is none, -1 takes any other row, which does not count: nobody waits to know.
        rows = torch.cat([own, images, own]), torch.cat([own, own, captions])
        logits = fusion.classify(pairs.image.states[rows[0]], pairs.words[rows[1]],
                                 pairs.attention_mask[rows[1]])
        there = torch.cat([images, captions]) >= 0
        weights = None if pairs.weights is None else pairs.weights.repeat(3)
        return self.named('itm', matching_loss(logits[:len(own)], logits[len(own):], there,
                                               weights))
