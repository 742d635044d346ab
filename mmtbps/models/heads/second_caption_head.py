"""The head that reads a second caption of each pair too, around any other head."""

from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .pairs import Pairs
from .wrapping_head import WrappingHead


@MODELS.register_module()
class SecondCaptionHead(WrappingHead):
    """A head whose losses are computed once more, on other words for the same captions.

    Towards Unified Text-based Person Retrieval (APTM), https://arxiv.org/abs/2306.02898, whose
    contrastive and matching losses read each caption a second time with words changed, with weight
    0.8. The head inside, its learned temperature among it, is one for both. Several of these heads
    on one input encode it once.

    Args:
        head: the head inside, any that reads captions.
        key: name of the second captions in the batch, which the transform ``CaptionView`` makes.
        weight: factor of the losses on them.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = SecondCaptionHead(dict(type='SDMHead'))
        >>> head.needs, head.weight
        (('input_ids_2',), 0.8)
    """

    no_mixup = 'reads second captions, which are not mixed'

    def __init__(self, head: dict, key: str = 'input_ids_2', weight: float = 0.8,
                 init_cfg: dict | list | None = None):
        super().__init__(head, init_cfg)
        if weight < 0:
            raise BadValue(f'weight must not be negative, got {weight}')
        self.key, self.weight = key, weight
        self.needs, self.needs_tokens = (*self.needs, key), self.head.needs_tokens

    def change(self, pairs: Pairs) -> tuple[Pairs, dict[str, Tensor]]:
        """Take the second captions in the place of the captions."""
        return pairs.told_anew(self.key), {}

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute the losses of the head inside, and those on the second captions.

        The latter have the former's names with ``_second`` behind, and are weighed; all that is
        logged alone is of the former.
        """
        first, second = self.head(pairs, samples), super().forward(pairs, samples)
        return {**first, **{f'{name}_second': self.weight * value
                            for name, value in second.items() if 'loss' in name}}
