"""Further sentences of a caption, tokenised: the base of transforms that make inputs for heads."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

from .tokenize import TokenizeCaption, captions_of

__all__ = ['CaptionInputs']


class CaptionInputs(BaseTransform):
    """Base of transforms that write sentences out of the caption of a training item.

    They stand after `TokenizeCaption` and take the same caption. Each call takes exactly one number
    from the global numpy generator and derives all else from it, so that the seed of an item fixes
    its sentences.

    **Required keys**: ``caption`` and ``input_ids``.

    Args:
        tokenize: The `TokenizeCaption` of the pipeline, or its settings.
        count: Sentences of each caption.

    Attributes:
        tokens: Key that the tokens are added under, a list of ``count`` 1-D tensors; where there
            are fewer sentences, those of the caption fill it up.

    Raises:
        BadValue: ``count`` is below 1.
    """

    tokens: str

    def __init__(self, tokenize: dict | TokenizeCaption, count: int) -> None:
        if count < 1:
            raise BadValue(f'count must be at least 1, got {count}')
        self.tokenize = TRANSFORMS.build(tokenize) if isinstance(tokenize, dict) else tokenize
        self.count = count

    @abstractmethod
    def make(self, caption: str, rng: np.random.Generator,
             image_captions: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """Write the sentences.

        Args:
            caption: Of the item.
            rng: Source of every random choice.
            image_captions: All captions of its image, as far as the data set tells them.

        Returns:
            At most ``count`` sentences, and what is told of them by key.
        """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add what `make` tells, and the tokens of its sentences.

        Raises:
            MissingKey: The item is not tokenised, or has several captions.
        """
        where, captions = results.get('img_path', 'item'), captions_of(results)
        name = type(self).__name__
        if 'input_ids' not in results or len(captions) != 1:
            raise MissingKey(f'{where}: {name} needs one caption and its input_ids; put '
                             'TokenizeCaption before it, and use it in training alone')
        rng = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        sentences, told = self.make(captions[0], rng, results.get('image_captions', ()))
        results[self.tokens] = self._encode(sentences) + [results['input_ids'][0]] * (
            self.count - len(sentences))
        results.update(told)
        return results

    def _encode(self, sentences: Sequence[str]) -> list[torch.Tensor]:
        return [torch.from_numpy(np.array(one.ids, dtype=np.int64))
                for one in self.tokenize.encode(sentences)] if sentences else []
