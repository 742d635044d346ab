"""Losses: plain functions of feature tensors."""

from .gather import average_value, gather, gather_with_grad, sum_with_grad
from .info_nce import info_nce

__all__ = ['average_value', 'gather', 'gather_with_grad', 'info_nce', 'sum_with_grad']
