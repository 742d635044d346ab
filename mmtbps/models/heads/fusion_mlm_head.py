"""The head of a cross-encoder that predicts masked words from the other words and the image."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.models.losses import masked_language_loss
from mmtbps.registry import MODELS

from .matching_head import fusion_of
from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class FusionMLMHead(PartHead):
    """Masked words of a caption, predicted by the fusion layers of a cross-encoder.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651, equation 3, with BERT's decoder: a
    linear layer, GELU and a norm, then a score by the table of words that the tower embeds with. A
    masked caption goes through the tower a second time and reads the image of its pair.

    The transform ``MaskCaption(tokenizer=...)`` makes ``mlm_input_ids`` and ``mlm_labels``. On a
    GPU a step waits once for the number of masked words.

    Args:
        dims: width of the fused states.
        vocab_size: entries of the table of words.
        ignored: label of words that are not masked.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Example:
        >>> head = FusionMLMHead(dims=8, vocab_size=50)
        >>> head.decode(torch.zeros(3, 8), torch.zeros(50, 8)).shape
        torch.Size([3, 50])
    """

    needs_tokens, needs = True, ('mlm_input_ids', 'mlm_labels')
    heeds_weights = True

    def __init__(self, dims: int = 768, vocab_size: int = 30522, ignored: int = 0,
                 loss_weight: float = 1.0, init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        self.ignored = ignored
        self.transform = nn.Sequential(OrderedDict(
            dense=nn.Linear(dims, dims), gelu=nn.GELU(), norm=nn.LayerNorm(dims, eps=1e-12)))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.normal_(self.transform.dense.weight, std=0.02)
        nn.init.zeros_(self.transform.dense.bias)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_mlm``, a mean over the masked words of all processes."""
        fusion = fusion_of(pairs, self)
        mask, labels = pairs.inputs['mlm_input_ids_mask'], pairs.inputs['mlm_labels']
        words = fusion.begin(pairs.inputs['mlm_input_ids'], mask, None)
        states = fusion.fuse(pairs.image.states, words, mask)
        masked = (labels != self.ignored) & mask  # labels may be padded with any id
        return self.named('mlm', masked_language_loss(
            self.decode(states[masked], fusion.word_table), labels[masked],
            pairs.weights_of(masked)))

    def decode(self, states: Tensor, word_table: Tensor) -> Tensor:
        """Score every word for ``(K, D)`` states by a table ``(V, D)``, ``(K, V)``."""
        return F.linear(self.transform(states), word_table, self.bias)
