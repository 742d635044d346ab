"""Colors, garments and synonyms of person captions, and their search in a sentence."""

from .mentions import ColorMention, find_color_mentions, protected_spans
from .phrases import Phrase, Word, find_phrases, split_words
from .vocabulary import Color, Garment, colors, details, garments, indefinite_article, synonyms

__all__ = [
    'Color', 'ColorMention', 'Garment', 'Phrase', 'Word', 'colors', 'details',
    'find_color_mentions', 'find_phrases', 'garments', 'indefinite_article',
    'protected_spans', 'split_words', 'synonyms'
]
