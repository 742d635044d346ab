"""Sentences that say a part of a caption, with what makes them true of other images."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from mmtbps.errors import BadValue
from mmtbps.lexicon.partial_captions import partial_caption
from mmtbps.lexicon.stated_facts import fact_number, image_facts
from mmtbps.registry import TRANSFORMS

from .caption_inputs import CaptionInputs
from .tokenize import TokenizeCaption


@TRANSFORMS.register_module()
class PartialCaptions(CaptionInputs):
    """Transform that adds short sentences of one to three things that a caption says.

    "A red coat" is true of every image whose caption has a red coat, so the image that it comes
    from is not its only partner: the transform tells as numbers what must hold for a sentence, what
    the caption says, and what it rules out, see `mmtbps.lexicon.stated_facts`. With them
    `PartialCaptionHead` finds which images of a batch a sentence is true of, and of which it is
    false. Nothing but captions is read.

    What one annotator leaves out another may say. So where an item brings ``image_captions``, all
    captions of its image, what another one states and none disputes is true of it too, and silence
    is that of them all, see `mmtbps.lexicon.stated_facts.image_facts`.

    Stands after `TokenizeCaption` and takes the same caption; ``PackTextImage(input_keys=...)``
    takes all four added keys to the model. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its sentences.

    **Required keys**: ``caption`` and ``input_ids``; ``image_captions`` is optional.

    **Added keys**: ``partial_input_ids``, a list of ``count`` 1-D tensors of tokens;
    ``partial_facts``, a list of as many tensors of facts, empty for a filler; ``true_facts`` and
    ``false_facts``, lists of one tensor.

    Args:
        tokenize: The `TokenizeCaption` of the pipeline, or its settings.
        count: Sentences of each caption.
        among_others: Share of the sentences that stand among other words of the caption. People put
            words around what they look for, and a model is to learn which of them count.
        seldom_said: How much oftener a sentence asks what people carry, or have on the head or in
            the face, than what all have. With 4 bags are found twice as well, and colors less.
        complete: Whether a caption names all that a person carries, or has on the head or the
            face, and the shade of a color: what it is silent on is then taken for false.

    Raises:
        BadValue: ``count`` is below 1, ``among_others`` no share, or ``seldom_said`` not positive.
        MissingKey: An item is not tokenised, or has several captions.

    Example:
        >>> from mmtbps.datasets.transforms import CLIP_TOKENIZER
        >>> tokenize = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')
        >>> np.random.seed(0)
        >>> item = PartialCaptions(tokenize)(tokenize(dict(caption='A man in blue jeans.')))
        >>> [len(facts) for facts in item['partial_facts']], len(item['true_facts'][0])
        ([3, 1], 6)
    """

    tokens = 'partial_input_ids'

    def __init__(self, tokenize: dict | TokenizeCaption, count: int = 2,
                 among_others: float = 0.5, seldom_said: float = 1.,
                 complete: bool = True) -> None:
        super().__init__(tokenize, count)
        if not 0 <= among_others <= 1:
            raise BadValue(f'among_others must be from 0 to 1, got {among_others}')
        if not 0 < seldom_said < float('inf'):
            raise BadValue(f'seldom_said must be positive and finite, got {seldom_said}')
        self.among_others, self.seldom_said = among_others, seldom_said
        self.complete = complete

    def make(self, caption: str, rng: np.random.Generator,
             image_captions: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        drawn = [partial_caption(caption, rng, self.among_others, self.seldom_said)
                 for _ in range(self.count)]
        parts = [part for part in drawn if part is not None]
        together = tuple(dict.fromkeys((*image_captions, caption)))
        true, false = _known_facts(together, self.complete)[caption]
        return [part.text for part in parts], dict(
            partial_facts=[_numbers(part.facts) for part in parts]
            + [_numbers(())] * (self.count - len(parts)),
            true_facts=[true], false_facts=[false])

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(tokenize={self.tokenize}, count={self.count}, '
                f'among_others={self.among_others}, seldom_said={self.seldom_said}, '
                f'complete={self.complete})')


@lru_cache(maxsize=2**16)  # a training reads the same captions in each epoch
def _known_facts(captions: tuple[str, ...],
                 complete: bool) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Tell for each caption of an image the numbers of what is true of it, and of what is false.

    Nobody writes into them.
    """
    return {caption: (_numbers(known.true),
                      _numbers(known.false | known.unnamed if complete else known.false))
            for caption, known in zip(captions, image_facts(captions), strict=True)}


def _numbers(facts: Iterable[str]) -> torch.Tensor:
    return torch.tensor(sorted(map(fact_number, facts)), dtype=torch.int64)
