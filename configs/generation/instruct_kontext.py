"""Proximity pairs by FLUX.1 Kontext, told in a sentence what to change; 28 passes an image.

Nothing is held to the source but what the model keeps of itself. It works at the pixels it was
trained at, 1600 x 640 for a person, to which the enlarged crop is brought. Its weights are not for
commercial use.
"""

from mmengine.config import read_base

from mmtbps.generation import InstructEditor

with read_base():
    from .pdg_fast import *

# Instructions are short: no text encoder would cut them, whatever the caption's length.
generation['planner'].update(tokenizer=None)
generation['editor'] = dict(
    type=InstructEditor, pretrained='black-forest-labs/FLUX.1-Kontext-dev',
    pipeline='FluxKontextPipeline',
    instruction='Change the color of the {noun} to {new_color}. Keep the person, the pose, the '
                'face, all other clothes and the background exactly the same.',
    weights=dict(dtype='bf16'), sampling=dict(size=(1600, 640), steps=28, guidance=2.5),
    batch_size=1)
generation['runner'].update(out_dir='work_dirs/instruct_kontext')
