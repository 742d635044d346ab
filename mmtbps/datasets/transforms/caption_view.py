"""Further wordings of a caption beside the one that is trained on."""

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform, Compose

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CaptionView(BaseTransform):
    """Transform that adds the tokens of another wording of the caption, for heads that read both.

    Stands where ``caption`` is as the view is to start, before the changes of the caption itself.
    ``PackTextImage(input_keys=[KEY])`` takes the view to the model. An item with ``captions``
    instead, one for testing, passes through unchanged.

    **Required keys**: ``caption``.

    **Added keys**: ``key``, a list of one 1-D int64 tensor. Nothing else of the item changes.

    Args:
        transforms: changes of the caption, each a transform or its settings; ``TokenizeCaption`` is
            among them.
        key: name of the view.

    Raises:
        BadValue: the key is one that items have already, or nothing makes tokens.
        MissingKey: an item has no caption.

    Example:
        >>> from mmtbps.datasets.transforms import CLIP_TOKENIZER
        >>> view = CaptionView([lambda item: dict(item, caption=item['caption'].lower()),
        ...                     dict(type='TokenizeCaption', tokenizer=CLIP_TOKENIZER)])
        >>> item = view(dict(caption='A MAN'))
        >>> item['caption'], item['input_ids_2'][0].tolist()
        ('A MAN', [49406, 320, 786, 49407])
    """

    def __init__(self, transforms: Sequence[Any], key: str = 'input_ids_2') -> None:
        if key in ('img', 'image', 'input_ids', 'caption', 'caption_lengths'):
            raise BadValue(f'key must be a name of its own, such as input_ids_2; got {key!r}')
        self.key = key
        self.transforms = Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step
                                   for step in transforms])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        where = results.get('img_path', 'item')
        if 'captions' in results:
            return results
        if 'caption' not in results:
            raise MissingKey(f"{where}: key 'caption' is missing; CaptionView gives captions of "
                             'training another wording')
        if self.key in results:
            raise BadValue(f'{where}: the item has a {self.key!r} already; give each view a name '
                           'of its own')
        view = self.transforms({key: value for key, value in results.items() if key != 'input_ids'})
        if 'input_ids' not in view:
            raise BadValue(f'{where}: the transforms of CaptionView make no tokens; end them with '
                           'TokenizeCaption')
        results[self.key] = view['input_ids']
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms}, key={self.key!r})'
