"""Pictures of what a model found."""

from .rank_list import draw_rank_list, draw_rank_sheet

__all__ = ['draw_rank_list', 'draw_rank_sheet']
