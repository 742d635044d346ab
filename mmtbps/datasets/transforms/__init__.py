"""Transforms of an item between the annotation and the batch."""

from .caption_augment import ApproximateTextGeneration, approximate_text
from .collate import stack_pairs
from .image_view import ImageView
from .mask_caption import MaskCaption
from .mirror_caption import MirrorCaption, mirror_text
from .pack_inputs import PackTextImage
from .pdg import PDGTransform
from .tokenize import CLIP_TOKENIZER, TokenizeCaption, load_tokenizer

__all__ = [
    'CLIP_TOKENIZER', 'ApproximateTextGeneration', 'ImageView', 'MaskCaption', 'MirrorCaption',
    'PDGTransform', 'PackTextImage', 'TokenizeCaption', 'approximate_text', 'load_tokenizer',
    'mirror_text', 'stack_pairs'
]
