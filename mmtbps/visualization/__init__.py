"""Pictures for a look at a model: ranked lists, heat-maps, maps of features."""

from .embedding_map import draw_embedding_map, project_embeddings
from .heat_map import draw_heat_map, draw_word_heat_maps
from .rank_list import draw_rank_list, draw_rank_sheet

__all__ = ['draw_embedding_map', 'draw_heat_map', 'draw_rank_list', 'draw_rank_sheet',
           'draw_word_heat_maps', 'project_embeddings']
