"""Pictures described by a vision-language model with varying instructions, as SynTBPR does.

An Empirical Study of Validating Synthetic Data for Text-Based Person Retrieval,
https://arxiv.org/abs/2503.22171. For real pictures, and for those of a generation: then the data
set is its ``pdg_pairs.jsonl``, which the result takes the place of.
"""

from mmtbps.generation import RetellPlanner, RetellRunner
from mmtbps.generation.rewriting import Captioner

generation = dict(
    planner=dict(type=RetellPlanner),
    rewriter=dict(
        type=Captioner, pretrained='Qwen/Qwen2.5-VL-3B-Instruct', captions_per_image=2,
        dtype='bfloat16',
        instructions=[
            'Describe the person in the picture: clothes with their colors from head to feet, '
            'hair, and what is carried. One or two sentences.',
            'Write one or two sentences that would let a stranger recognize this person.',
            'What does the person wear and carry, and what are they doing? Whole sentences.',
            'Begin with the shoes and go up: describe the clothes of the person.',
            'Describe this pedestrian as a witness would, with age, build, clothes and bags.']),
    runner=dict(type=RetellRunner, out_dir='data/described', batch_size=4),
)
