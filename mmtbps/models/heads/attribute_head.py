"""The head of attributes that captions state."""

from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.lexicon.stated_facts import fact_number, small_facts
from mmtbps.models.losses import (
    asked_rows_loss,
    attribute_loss,
    rarity_weights,
    sum_with_grad,
)
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class AttributeHead(PartHead):
    """Linear classifier of images by what their captions state and rule out.

    A contrastive loss is content once each image is told from the others of its batch, for which
    the colors of what is large are enough. Here each attribute is a question of its own, so the
    tower learns small things as well, shoes and bags. Labels are read from captions alone; see
    :func:`attribute_loss`. The transform ``PartialCaptions`` reads them. It stands beside a
    contrastive head; search needs it no more.

    Of small things the classifier knows more than the text tower comes to ask. With a
    ``sentence_weight`` the parts of captions learn to ask for what it found, see
    :func:`asked_rows_loss`; they are encoded once for this head and `PartialCaptionHead`.

    Facts are open-ended ("upper: olive"), so each has the row of the classifier that its number
    leaves as a remainder: Feature Hashing for Large Scale Multitask Learning,
    https://arxiv.org/abs/0902.2206. Two facts may share a row, the seldomer the more rows.

    Args:
        in_dims: width of the part.
        rows: rows of the classifier.
        part: the part of the features that is classified, not normalised.
        loss_weight: factor of the loss.
        sentence_weight: factor of that of the parts of captions, beside it; 0 for none.
        rarity_power: how steeply what is seldom true weighs more where it is, see
            :func:`rarity_weights`; counted in the joined batch of all processes. 0 for not at all.
        small_weight: how much more than others `mmtbps.lexicon.stated_facts.small_facts` weigh.
            Colors of clothes are many facts, of many pixels, and leave little of a gradient to a
            hat.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: there is no row, a weight or the power is negative, or small facts weigh
            nothing.

    Example:
        >>> AttributeHead(in_dims=96).needs
        ('true_facts', 'false_facts')
    """

    needs = ('true_facts', 'false_facts')
    heeds_weights = True
    no_mixup = 'compares images with facts of their own caption, which a mixed image has not'

    def __init__(self, in_dims: int = 512, rows: int = 8192, part: str = 'global',
                 loss_weight: float = 1.0, sentence_weight: float = 0.0,
                 rarity_power: float = 0.0, small_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        if rows < 1:
            raise BadValue(f'rows must be at least 1, got {rows}')
        if sentence_weight < 0:
            raise BadValue(f'sentence_weight must not be negative, got {sentence_weight}')
        if not 0 <= rarity_power < inf:
            raise BadValue(f'rarity_power must not be negative, and finite, got {rarity_power}')
        if not 0 < small_weight < inf:
            raise BadValue(f'small_weight must be positive and finite, got {small_weight}')
        self.sentence_weight, self.rarity_power = sentence_weight, rarity_power
        if sentence_weight:
            self.needs = (*type(self).needs, 'partial_input_ids', 'partial_facts')
        self.classifier = nn.Linear(in_dims, rows)
        nn.init.zeros_(self.classifier.bias)
        weights = torch.ones(rows)
        weights[[fact_number(fact) % rows for fact in small_facts()]] = small_weight
        self.register_buffer('fact_weights', weights, persistent=False)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_attribute``, a mean over the pairs of this process.

        Beside it ``loss_attribute_text``, a mean over the parts of their captions, if it is wanted.

        Raises:
            BadValue: the part is of another width.
        """
        image = self.part_of(pairs.image)
        self.check_width(image, self.classifier.in_features)
        true, false = (self._rows_of(pairs, name) for name in type(self).needs)
        asked = (true | false).any(0).nonzero()[:, 0]  # the few rows that a batch speaks of
        logits = F.linear(image, self.classifier.weight[asked], self.classifier.bias[asked])
        false = false & ~true
        weights = self._weights(true, false, asked)
        losses = self.named('attribute', attribute_loss(
            logits, true[:, asked], false[:, asked], pairs.weights, weights))
        if self.sentence_weight:
            losses |= self._sentence_loss(pairs)
        return losses

    def _weights(self, true: Tensor, false: Tensor, asked: Tensor) -> Tensor:
        if not self.rarity_power:
            return self.fact_weights[asked]
        counts = sum_with_grad(torch.stack([true.sum(0), false.sum(0)]).float())
        rarity = rarity_weights(*counts[:, asked], self.rarity_power)
        return self.fact_weights[asked] * torch.where(true[:, asked], rarity, 1.0)

    def _sentence_loss(self, pairs: Pairs) -> dict[str, Tensor]:
        text = self.part_of(pairs.told_anew('partial_input_ids').text)
        said = self._rows_of(pairs, 'partial_facts')
        asked = said.any(0).nonzero()[:, 0]
        return self.named('attribute_text', self.sentence_weight * asked_rows_loss(
            text, self.classifier.weight[asked], said[:, asked],
            pairs.weights_of_several(len(text))))

    def _rows_of(self, pairs: Pairs, name: str) -> Tensor:
        return rows_of(pairs.inputs[name], pairs.inputs[f'{name}_mask'],
                       self.classifier.out_features)


def rows_of(facts: Tensor, mask: Tensor, rows: int) -> Tensor:
    """Mark the rows that facts have, ``(N, rows)`` bool.

    Args:
        facts: ``(N, F)`` numbers of facts.
        mask: ``(N, F)`` bool, False for fillers.
        rows: how many there are.

    Example:
        >>> rows_of(torch.tensor([[5, 2, 0]]), torch.tensor([[True, True, False]]), 4)
        tensor([[False,  True,  True, False]])
    """
    marked = torch.zeros(len(facts), rows, device=facts.device)
    return marked.scatter_reduce(1, facts % rows, mask.float(), 'amax') > 0
