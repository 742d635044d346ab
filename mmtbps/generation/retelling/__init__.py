"""Captions told anew, by rules, a file or models, as a run of its own without an image editor."""

from .base import CaptionRewriter, RetellRequest
from .faithful import unfaithful
from .recorded import RecordedRewriter
from .rules import RuleRewriter
from .runner import RETOLD_FILE, RetellPlanner, RetellRunner, merge_retold
from .transformers_rewriter import Captioner, LanguageModelRewriter

__all__ = ['CaptionRewriter', 'Captioner', 'LanguageModelRewriter', 'RETOLD_FILE',
           'RecordedRewriter', 'RetellPlanner', 'RetellRequest', 'RetellRunner', 'RuleRewriter',
           'merge_retold', 'unfaithful']
