"""Exchange of left and right in the caption of a mirrored image."""

import re
from typing import Any

from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue
from mmtbps.registry import TRANSFORMS

_SIDE = re.compile(r'\b(left|right)(most|wards?)?\b', re.IGNORECASE)
_OTHER = {'left': 'right', 'right': 'left'}
_CONTEXT = 16  # characters; the word before fits in

# After one of these it is a side whatever follows: "on her right behind a car".
_NAMES_A_SIDE = re.compile(r"(?:\b(?:the|his|her|their|its|to|from|far)|['’]s)\s+$", re.IGNORECASE)
# "right" as an adverb ("right above"), and in phrases of its own.
_RIGHT_IS_NO_SIDE = re.compile(
    r'\s+(?:above|after|along|around|at|away|before|behind|below|beneath|beside|between|by|down|'
    r'in|into|near|next|now|on|outside|over|past|through|under|underneath|up|angles?)\b|-angle',
    re.IGNORECASE)
_ALL_RIGHT = re.compile(r'\b(?:all|just)\s+$', re.IGNORECASE)
# "left" as a form of "to leave": "left open", "she left", "has left the shop".
_LEFT_IS_NO_SIDE = re.compile(
    r'\s+(?:alone|behind|hanging|loose|open|out|unbuttoned|undone|untied|untucked|unzipped)\b',
    re.IGNORECASE)
_LEAVING = re.compile(r'\b(?:has|have|had|having|just|he|she|they|who|nothing)\s+$', re.IGNORECASE)


def mirror_text(caption: str) -> str:
    """Exchange the words left and right where they name a side.

    ``leftmost``, ``rightward``, ``left-hand`` and ``left/right`` are exchanged too. Not exchanged,
    unless after an article or possessive: "right" before a preposition or after "all" ("right
    above her knee", "all right"), and "left" as a form of *to leave* ("she left", "left open").
    The case of the letters stays.

    Example:
        >>> mirror_text('Left hand in a pocket, a logo on the right, right above the belt.')
        'Right hand in a pocket, a logo on the left, right above the belt.'
    """
    return _SIDE.sub(_swap, caption)


@TRANSFORMS.register_module()
class MirrorCaption(BaseTransform):
    """Transform that exchanges left and right in the captions of a horizontally flipped image.

    Stands after mmcv's ``RandomFlip`` and before `TokenizeCaption`. A bag on the left arm hangs
    on the right arm of the mirrored person; a caption left as it is would be wrong.

    **Required keys**: ``caption`` (str) or ``captions`` (list of str); ``flip`` and
    ``flip_direction`` if the image was flipped.

    **Modified keys**: ``caption`` or ``captions``, if ``flip`` is true and ``flip_direction`` is
    ``'horizontal'``. A ``'diagonal'`` flip is a half turn, which keeps the person's sides.

    Raises:
        BadValue: If the item is tokenised already.

    Example:
        >>> item = dict(caption='A bag in his left hand.', flip=True, flip_direction='horizontal')
        >>> MirrorCaption()(item)['caption']
        'A bag in his right hand.'
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if not results.get('flip') or results.get('flip_direction') != 'horizontal':
            return results
        if 'input_ids' in results:
            raise BadValue(
                f'{results.get("img_path", "item")}: the caption is tokenised already; put '
                'RandomFlip and MirrorCaption before TokenizeCaption in the pipeline')
        if 'caption' in results:
            results['caption'] = mirror_text(results['caption'])
        if 'captions' in results:
            results['captions'] = [mirror_text(caption) for caption in results['captions']]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _swap(match: re.Match[str]) -> str:
    side, suffix = match.group(1), match.group(2) or ''
    if not suffix and not _is_side(side.lower(), match):
        return match.group()
    return _with_case_of(side, _OTHER[side.lower()]) + suffix


def _is_side(word: str, match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - _CONTEXT):match.start()]
    if _NAMES_A_SIDE.search(before):
        return True
    after, lead = ((_RIGHT_IS_NO_SIDE, _ALL_RIGHT) if word == 'right' else
                   (_LEFT_IS_NO_SIDE, _LEAVING))
    return not (after.match(match.string, match.end()) or lead.search(before))


def _with_case_of(original: str, word: str) -> str:
    if original.isupper():
        return word.upper()
    return word.capitalize() if original[0].isupper() else word
