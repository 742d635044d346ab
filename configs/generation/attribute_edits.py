"""Pairs of other garments, patterns and accessories, by instruction: a hoodie for a shirt.

Rules choose the change and write the captions, FLUX.1 Kontext makes the picture as in
`instruct_kontext`, and a vision-language model is asked whether it shows what was asked. Inherit
it, and name a data set of your own.
"""

from mmengine.config import read_base

from mmtbps.generation import (
    AttributeEditPlanner,
    ChangeGate,
    FeatureScorer,
    IdentityGate,
    VLMJudgeGate,
    VLMScorer,
)

with read_base():
    from .instruct_kontext import *

generation['planner'] = dict(
    type=AttributeEditPlanner, kinds=['garment', 'pattern', 'accessory'], edits_per_image=1)
generation['gates'] = [
    dict(type=CaptionGate), dict(type=ChangeGate, low=0.003), dict(type=LocalityGate),
    dict(type=KeepColorsGate), dict(type=SanityGate), dict(type=MaskGate),
    dict(type=IdentityGate, low=0.6,
         scorer=dict(type=FeatureScorer, pretrained='facebook/dinov2-base')),
    dict(type=VLMJudgeGate,
         scorer=dict(type=VLMScorer, pretrained='Qwen/Qwen2.5-VL-3B-Instruct'))]
generation['runner'].update(out_dir='work_dirs/attribute_edits')
