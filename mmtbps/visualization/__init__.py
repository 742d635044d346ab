"""Pictures for a look at a model, its data and its training."""

from .curves import draw_curves, read_scalars, time_of_steps
from .embedding_map import draw_embedding_map, project_embeddings
from .heat_map import draw_heat_map, draw_word_heat_maps
from .rank_list import draw_rank_list, draw_rank_sheet
from .training_items import draw_training_item

__all__ = ['draw_curves', 'draw_embedding_map', 'draw_heat_map', 'draw_rank_list',
           'draw_rank_sheet', 'draw_training_item', 'draw_word_heat_maps', 'project_embeddings',
           'read_scalars', 'time_of_steps']
