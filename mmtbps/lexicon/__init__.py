"""Colors, garments and synonyms of person captions, and their search in a sentence."""

from .asked_phrases import AskedPhrase, SentenceReading, read_sentence
from .attribute_reading import (
    AttributeReading,
    PatternPhrase,
    WornItem,
    names_construction,
    read_attributes,
    unknown_words,
)
from .attributes import Family, families, family_of, garment_type, write_type
from .caption_reading import CaptionReading, read_caption
from .color_negatives import colored_things, permute_colors, replace_color
from .color_switching import CaptionEdit, ColorSwitcher, Replacement
from .garment_phrases import GarmentPhrase
from .mentions import ColorMention, find_color_mentions, protected_spans
from .opposites import opposites_of, word_phrase
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

__all__ = ['AskedPhrase', 'AttributeReading', 'CaptionEdit', 'CaptionReading', 'Color',
           'ColorMention', 'ColorSwitcher', 'Family', 'Garment', 'GarmentPhrase', 'PatternPhrase',
           'Phrase', 'Replacement', 'SentenceReading', 'Word', 'WornItem', 'article_edit',
           'colored_things', 'colors', 'details', 'families', 'family_of', 'find_color_mentions',
           'find_phrases', 'garment_name', 'garment_type', 'garments', 'indefinite_article',
           'names_construction', 'opposites_of', 'permute_colors', 'protected_spans',
           'read_attributes', 'read_caption', 'read_sentence', 'replace_color', 'split_words',
           'synonyms', 'unknown_words', 'with_case_of', 'word_phrase', 'write_type']
