"""The head of the optimal-transport regulariser."""

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.losses import qc_align_loss
from mmtbps.registry import MODELS

from .pairs import EncodedSide, Pairs
from .part_head import PartHead


@MODELS.register_module()
class QCAlignHead(PartHead):
    """Optimal transport between the patches and the words of each pair; see :func:`qc_align_loss`.

    A regulariser without parameters beside a contrastive loss. It reads tokens in the space of the
    part ``global``, which are normalised inside. The first token and the last of a caption are no
    words.

    Args:
        class_tokens: tokens of an image that stand for no patch; ``None`` for those of the tower.
        epsilon: weight of the entropy of the plans.
        iterations: rounds of scaling of the plans.
        loss_weight: factor of the loss; published with 0.5.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> QCAlignHead().loss_weight, QCAlignHead.needs_tokens
        (0.5, True)
    """

    needs_tokens = True
    heeds_weights = True

    def __init__(self, class_tokens: int | None = None, epsilon: float = 0.5, iterations: int = 50,
                 loss_weight: float = 0.5, init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        if (class_tokens or 0) < 0 or epsilon < 0.05 or iterations < 1:
            raise BadValue('class_tokens must not be negative, epsilon be at least 0.05 and '
                           f'iterations at least 1, got {class_tokens}, {epsilon}, {iterations}')
        self.class_tokens, self.epsilon, self.iterations = class_tokens, epsilon, iterations

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_qc_align``, a mean over the pairs of this process."""
        first = pairs.image.class_tokens if self.class_tokens is None else self.class_tokens
        return self.named('qc_align', qc_align_loss(
            pairs.image.tokens[:, first:], pairs.text.tokens, word_mask(pairs.text),
            self.epsilon, self.iterations, pairs.weights))


def word_mask(text: EncodedSide) -> Tensor:
    """Mark the tokens of captions between the first and the last, ``(N, L)`` bool.

    A caption without a word has its first token marked.
    """
    tokens = text.tokens
    mask = text.mask
    if mask is None:
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    places = torch.arange(tokens.shape[1], device=tokens.device)
    last = (places * mask).amax(1, keepdim=True)
    words = mask & (places > 0) & (places < last)
    return words | ((places == 0) & ~words.any(1, keepdim=True))
