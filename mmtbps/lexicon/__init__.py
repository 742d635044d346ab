"""Colors, garments and synonyms of person captions, and their search in a sentence."""

from .caption_reading import CaptionReading, read_caption
from .garment_phrases import GarmentPhrase
from .mentions import ColorMention, find_color_mentions, protected_spans
from .phrases import Phrase, Word, find_phrases, split_words
from .vocabulary import (
    Color,
    Garment,
    colors,
    details,
    garment_name,
    garments,
    indefinite_article,
    synonyms,
)
from .wording import article_edit, with_case_of

__all__ = [
    'CaptionReading', 'Color', 'ColorMention', 'Garment', 'GarmentPhrase', 'Phrase', 'Word',
    'article_edit', 'colors', 'details', 'find_color_mentions', 'find_phrases', 'garment_name',
    'garments', 'indefinite_article', 'protected_spans', 'read_caption', 'split_words', 'synonyms',
    'with_case_of'
]
