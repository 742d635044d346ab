"""Transforms of an item between the annotation and the batch."""

from .caption_augment import ApproximateTextGeneration, approximate_text
from .caption_view import CaptionView
from .collate import stack_pairs
from .corrupt_caption import CorruptCaption
from .delete_words import DeleteWords, delete_words
from .easy_augment import EasyDataAugmentation, easy_augment
from .erase_rectangle import EraseRectangle, draw_rectangle
from .image_view import ImageView
from .load_image import LoadImageFromFile
from .mask_caption import MaskCaption
from .mirror_caption import MirrorCaption, mirror_text
from .pack_inputs import PackTextImage
from .pack_picture import PackPicture
from .partial_captions import PartialCaptions
from .pdg import PDGTransform
from .permute_colors import PermuteColors
from .random_hue import RandomHue, turn_hue
from .shorten_caption import ShortenCaption
from .tokenize import CLIP_TOKENIZER, TokenizeCaption, load_tokenizer

__all__ = [
    'ApproximateTextGeneration', 'CLIP_TOKENIZER', 'CaptionView', 'CorruptCaption', 'DeleteWords',
    'EasyDataAugmentation', 'EraseRectangle', 'ImageView', 'LoadImageFromFile', 'MaskCaption',
    'MirrorCaption', 'PDGTransform', 'PackPicture', 'PackTextImage', 'PartialCaptions',
    'PermuteColors', 'RandomHue', 'ShortenCaption', 'TokenizeCaption', 'approximate_text',
    'delete_words', 'draw_rectangle', 'easy_augment', 'load_tokenizer', 'mirror_text',
    'stack_pairs', 'turn_hue'
]
