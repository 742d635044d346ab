"""Edits whose truth is known: drawn people, and people made of two blocks of colour."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.drawing import caption, sample_person, sample_scene
from mmtbps.drawing.edits import colors_for, draw_edit, garment_mask
from mmtbps.generation.editing.base import EditRequest, EditResult
from mmtbps.generation.quality.gates import (
    CaptionGate,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    SanityGate,
    SeamGate,
    run_gates,
)
from mmtbps.lexicon.color_switching import ColorSwitcher

SIZE = (96, 36)
RED, BLUE, GREEN = (190, 30, 40), (40, 70, 170), (40, 130, 60)
GATES = [EditStrengthGate(), LocalityGate(), KeepColorsGate(), SanityGate(), MaskGate(),
         CaptionGate()]
SEAMS = SeamGate()


class Drawn:
    """A request on a drawn person, with the truth that only the renderer knows."""

    def __init__(self, person, scene, edit, rng, size=SIZE):
        self.person, self.scene = person, scene
        self.garment = 'lower' if edit.region == 'lower' else 'upper'
        truth = draw_edit(person, scene, self.garment, edit.new_color, rng, size=size)
        self.before, self.after, self.mask = truth.before, truth.after, truth.mask
        first = edit.replacements[0]
        self.request = EditRequest(
            f'{scene.seed}', Image.fromarray(truth.before), edit.source_captions,
            edit.target_captions, first.caption, first.source, first.target, first.phrase,
            first.target_phrase, edit.old_color, edit.new_color, edit.noun, edit.region, scene.seed)

    def result(self, image, grow=2):
        """A result with a mask a little larger than the garment, as editors give it."""
        mask = Image.fromarray(np.uint8(self.mask) * 255).filter(
            ImageFilter.MaxFilter(2 * grow + 1))
        return EditResult(self.request.job_id, Image.fromarray(image), np.asarray(mask) > 0)

    def verdicts(self, image):
        return run_gates(GATES, self.request, self.result(image))

    def accepts(self, image):
        return all(verdict.ok for verdict in self.verdicts(image).values())

    def part(self, way):
        """A third of the garment dyed: its left, its top or a blob of it."""
        rows, columns = np.indices(self.mask.shape)
        y, x = np.argwhere(self.mask)[self.request.seed % self.mask.sum()]
        order = dict(left=columns, top=rows, blob=np.hypot(rows - y, columns - x))[way]
        dyed = order <= np.quantile(order[self.mask], .35)
        return np.where(dyed[..., None], self.after, self.before)


def draw_some(count, seed=11, size=SIZE):
    """Requests on people whose garment is in sight and is what the caption's noun says."""
    drawn, number = [], 0
    while len(drawn) < count:
        rng = np.random.default_rng((seed, number))
        number += 1
        person, scene = sample_person(rng), sample_scene(rng)
        texts = [caption(person, scene, i, near_miss=0.) for i in (0, 1)]
        for edit in ColorSwitcher().switch(texts, rng):
            garment = 'lower' if edit.region == 'lower' else 'upper'
            if not person.open and edit.new_color in colors_for(person, garment) \
                    and garment_mask(person, scene, garment, size).mean() > .04:
                drawn.append(Drawn(person, scene, edit, rng, size))
    return drawn


def blocks(top, bottom, size=(40, 20), gray=128):
    """A 'person': an upper and a lower block of one colour on gray."""
    image = np.full((*size, 3), gray, np.uint8)
    image[6:18, 4:16], image[20:36, 4:16] = top, bottom
    return image


def ask(before, region='upper', target='A man in a green shirt and blue jeans.', **changes):
    source = 'A man in a red shirt and blue jeans.'
    request = EditRequest('j', Image.fromarray(before), (source,), (target,), 0, (11, 14),
                          (11, 16), (11, 20), (11, 22), 'red', 'green', 'shirt', region, 1)
    return replace(request, **changes)


def give(after, mask=None):
    return EditResult('j', Image.fromarray(after), mask)


def upper_block():
    mask = np.zeros((40, 20), bool)
    mask[6:18, 4:16] = True
    return mask
