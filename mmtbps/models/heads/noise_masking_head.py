"""The head that masks words which the image does not show, around any other head."""

from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.losses import mask_words, noise_probabilities
from mmtbps.registry import MODELS

from .pairs import Pairs
from .wrapping_head import WrappingHead


@MODELS.register_module()
class NoiseMaskingHead(WrappingHead):
    """A head on captions of which words are masked that the image seems not to show.

    Harnessing the Power of MLLMs for Transferable Text-to-Image Person ReID (NAM), CVPR 2024,
    https://arxiv.org/abs/2405.04940: captions that a model has written name things that are not
    there, so they are masked in the caption that the loss reads; see :func:`noise_probabilities`
    and :func:`mask_words`. The paper compares embeddings of an inner layer, and masks in the epoch
    after. Here, which is our interpretation, tokens of the last layer are compared in the space of
    the part ``global``, the image's class token among them, and the same step masks: a first pass
    over the captions, whose gradient this head has no use for, says which words.

    Args:
        head: the head that reads the masked captions; NAM has ``SDMHead``.
        mean: probability of a word of average noise to be masked.
        mask_id: the mask token of the tokenizer.
        words: first id of its words, and the id after the last. The defaults are those of CLIP's
            vocabulary, see ``MaskCaption``; BERT's are 103 and (999, 30522).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = NoiseMaskingHead(dict(type='SDMHead'))
        >>> head.mask_id, head.part
        (49405, 'global')
    """

    no_mixup = 'reads masked captions anew, which are not mixed'

    def __init__(self, head: dict, mean: float = 0.15, mask_id: int = 49405,
                 words: tuple[int, int] = (1, 49405), init_cfg: dict | list | None = None):
        super().__init__(head, init_cfg)
        if not 0 <= mean <= 1 or not 0 <= words[0] < words[1] or mask_id < 0:
            raise BadValue('mean must lie in [0, 1], words be the first id and the one after the '
                           f'last, and mask_id not be negative, got {mean}, {words}, {mask_id}')
        self.mean, self.mask_id, self.words = mean, mask_id, tuple(words)

    def misfit(self, retriever: nn.Module) -> str:
        """Return why the head cannot train a retriever: its mask may be no word of the tower."""
        known, last = retriever.text_backbone.vocab_size, max(self.mask_id, self.words[1] - 1)
        if known is not None and last >= known:
            return (f'puts ids up to {last} into captions, and the text tower knows {known}: give '
                    'it the mask_id and words of the tokenizer')
        return super().misfit(retriever)

    def change(self, pairs: Pairs) -> tuple[Pairs, dict[str, Tensor]]:
        """Take the masked captions in the place of the captions; log the share that is masked."""
        ids, mask = pairs.input_ids, pairs.attention_mask
        is_word = mask & (ids >= self.words[0]) & (ids < self.words[1]) & (ids != self.mask_id)
        probabilities = noise_probabilities(pairs.text.tokens.detach(),
                                            pairs.image.tokens.detach(), is_word, self.mean)
        masked = mask_words(ids, probabilities, is_word, self.mask_id, self.words)
        share = ((masked != ids) & is_word).sum() / is_word.sum().clamp(min=1)
        return pairs.with_captions(masked, mask), dict(masked_share=share)
