"""Further pictures of the same people in other scenes, told in sentences as SynTBPR does.

Background, weather, style and posture change, the clothes stay. Inherit it, and name a data set of
your own. The pictures are edited by FLUX.1 Kontext, as in `instruct_kontext`; `syntbpr_captions`
describes them afterwards.
"""

from mmengine.config import read_base

from mmtbps.generation import (
    ChangeGate,
    FeatureScorer,
    IdentityGate,
    SceneEditPlanner,
    VLMJudgeGate,
    VLMScorer,
)

with read_base():
    from .instruct_kontext import *

generation['planner'] = dict(
    type=SceneEditPlanner,
    edits_per_image=2,
    keep='Keep the person, the face, the hair and every garment with its color exactly the same.',
    instructions=dict(
        background=['Put the person on a busy city street.',
                    'Put the person in a park with trees.',
                    'Put the person in a shopping mall.',
                    'Put the person on a university campus.',
                    'Put the person in a subway station.'],
        weather=['Make it a rainy day.', 'Make it a snowy day.', 'Make it a foggy morning.',
                 'Make it a sunny day with hard shadows.', 'Make it night under street lamps.'],
        style=['Make it look like a sharp photograph.',
               'Make it look like a blurry frame of a surveillance camera.',
               'Make it look like an old photograph with film grain.'],
        posture=['Make the person walk toward the camera.',
                 'Make the person walk to the left, seen from the side.',
                 'Show the person from behind.', 'Make the person stand still.',
                 'Make the person sit on a bench.']))
generation['gates'] = [
    dict(type=CaptionGate), dict(type=SanityGate), dict(type=ChangeGate, low=0.02),
    dict(type=IdentityGate, low=0.6,
         scorer=dict(type=FeatureScorer, pretrained='facebook/dinov2-base')),
    dict(type=VLMJudgeGate,
         scorer=dict(type=VLMScorer, pretrained='Qwen/Qwen2.5-VL-3B-Instruct'))]
generation['runner'].update(out_dir='work_dirs/syntbpr_edits')
