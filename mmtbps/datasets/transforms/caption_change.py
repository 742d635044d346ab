"""Random change of a caption: the base of transforms that write another one in its place."""

from abc import abstractmethod
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue

__all__ = ['CaptionChange']


class CaptionChange(BaseTransform):
    """Base of transforms that change the caption of a training item at random.

    Each call takes exactly one number from the global numpy generator and derives all else from
    it, so that the seed of an item fixes its words.

    **Required keys**: ``caption`` (str). An item with ``captions`` instead, one for testing, passes
    through unchanged and takes no random number.

    **Modified keys**: ``caption``.
    """

    @abstractmethod
    def change(self, caption: str, rng: np.random.Generator) -> str:
        """Write the caption anew.

        Args:
            caption: Of the item.
            rng: Source of every random choice.
        """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the caption, if the item is one of training.

        Raises:
            BadValue: The item is tokenised already.
        """
        if 'caption' not in results:
            return results
        if 'input_ids' in results:
            raise BadValue(f'{results.get("img_path", "item")}: the caption is tokenised already; '
                           f'put {type(self).__name__} before TokenizeCaption in the pipeline')
        rng = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        results['caption'] = self.change(results['caption'], rng)
        return results
