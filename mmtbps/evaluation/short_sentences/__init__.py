"""Short sentences: how many of the first pictures show what one, two or three words ask for."""

from .benchmark_files import ShortSentence, ShortSentenceBenchmark, read_short_sentences
from .measures import SentenceMeasures, measure_sentence, skill
from .run import score_short_sentences
from .table import group_means, short_sentence_table

__all__ = ['SentenceMeasures', 'ShortSentence', 'ShortSentenceBenchmark', 'group_means',
           'measure_sentence', 'read_short_sentences', 'score_short_sentences',
           'short_sentence_table', 'skill']
