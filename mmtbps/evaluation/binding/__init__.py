"""Attribute binding: does a model know which color is on what, or only which colors there are?"""

from .benchmark_files import BindingBenchmark, BindingItem, BindingPair, read_binding
from .blind import NGramScorer, read_captions
from .run import BindingOutcome, score_binding
from .scores import pair_scores, true_beats_negative
from .table import binding_table

__all__ = ['BindingBenchmark', 'BindingItem', 'BindingOutcome', 'BindingPair', 'NGramScorer',
           'binding_table', 'pair_scores', 'read_binding', 'read_captions', 'score_binding',
           'true_beats_negative']
