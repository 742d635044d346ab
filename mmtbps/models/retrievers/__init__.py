"""Retrievers: towers, necks and heads put together."""

from .cross_encoder import CrossEncoderRetriever
from .dual_encoder import TextImageRetriever
from .inference import inference_settings
from .pretrained_retriever import PretrainedRetriever

__all__ = ['CrossEncoderRetriever', 'PretrainedRetriever', 'TextImageRetriever',
           'inference_settings']
