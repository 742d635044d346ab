"""Retrievers: towers, necks and heads put together."""

from .dual_encoder import TextImageRetriever
from .inference import inference_settings
from .pretrained_retriever import PretrainedRetriever

__all__ = ['PretrainedRetriever', 'TextImageRetriever', 'inference_settings']
