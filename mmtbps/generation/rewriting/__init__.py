"""Writers of captions, by rules, out of a file or by models, and the check of what they write."""

from .base import CaptionRewriter, RetellRequest
from .faithful import unfaithful
from .recorded import RecordedRewriter
from .rules import RuleRewriter
from .transformers_rewriter import Captioner, LanguageModelRewriter

__all__ = ['CaptionRewriter', 'Captioner', 'LanguageModelRewriter', 'RecordedRewriter',
           'RetellRequest', 'RuleRewriter', 'unfaithful']
