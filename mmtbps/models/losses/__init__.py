"""Losses: plain functions of feature tensors."""

from .attributes import asked_rows_loss, attribute_loss, rarity_weights
from .blended_contrast import blended_contrast
from .cmpm import cmpm_loss
from .consensus_division import clean_pairs, consensus_weights, mixture_posterior
from .cyclic import cyclic_loss
from .explanation import change_weights, heat_change, person_area, swap_background
from .gather import (
    GatheredPairs,
    average_value,
    gather,
    gather_padded,
    gather_with_grad,
    sum_with_grad,
)
from .hardest_triplet import hardest_triplet_loss
from .identity import identity_loss
from .info_nce import info_nce
from .knowledge_transfer import transfer_loss
from .masked_language import masked_language_loss
from .matching import draw_hard_negatives, matching_loss
from .neighbours import neighbour_weights
from .noise_masking import mask_words, noise_probabilities
from .partial_captions import count_known, partial_caption_loss
from .prototypes import attention_distillation_loss, move_prototypes
from .qc_align import qc_align_loss, sinkhorn
from .restoration import gray_images, patches_of, restoration_loss
from .reverse import reverse_contrastive_loss
from .scores import ScoreRows, score_rows
from .sdm import sdm_loss
from .sigmoid import sigmoid_loss
from .simclr import simclr_loss
from .soft_label import blend_targets, soft_label_contrastive_loss, soft_labels
from .text_negatives import text_negatives_loss
from .triplet_alignment import triplet_alignment_loss

__all__ = ['GatheredPairs', 'ScoreRows', 'asked_rows_loss', 'attention_distillation_loss',
           'attribute_loss', 'average_value', 'blend_targets', 'blended_contrast',
           'change_weights', 'clean_pairs', 'cmpm_loss', 'consensus_weights', 'count_known',
           'cyclic_loss', 'draw_hard_negatives', 'gather', 'gather_padded', 'gather_with_grad',
           'gray_images', 'hardest_triplet_loss', 'heat_change', 'identity_loss', 'info_nce',
           'mask_words', 'masked_language_loss', 'matching_loss', 'mixture_posterior',
           'move_prototypes', 'neighbour_weights', 'noise_probabilities', 'partial_caption_loss',
           'patches_of', 'person_area', 'qc_align_loss', 'rarity_weights', 'restoration_loss',
           'reverse_contrastive_loss', 'score_rows', 'sdm_loss', 'sigmoid_loss', 'simclr_loss',
           'sinkhorn', 'soft_label_contrastive_loss', 'soft_labels', 'sum_with_grad',
           'swap_background', 'text_negatives_loss', 'transfer_loss', 'triplet_alignment_loss']
