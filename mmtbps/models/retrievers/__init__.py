"""Retrievers: towers, necks and heads put together."""

from .dual_encoder import TextImageRetriever
from .inference import inference_settings

__all__ = ['TextImageRetriever', 'inference_settings']
