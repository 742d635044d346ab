"""Truth of an edit, which the renderer knows and no gate: is it right, and only that?"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.drawing import render
from mmtbps.drawing.attributes import COLORS
from mmtbps.drawing.canvas import PARTS as DRAWN_PARTS
from mmtbps.generation.color import palette, rgb_to_lab
from mmtbps.generation.evidence import PARTS, EditEvidence

_VISIBLE, _NOTHING = 15., 6.      # Lab distances of smoothed images: another colour, no change
# What a human parsing calls the parts that the renderer draws.
_PARSED = dict(background='background', skin='skin', hair='hair', glasses='face', upper='upper',
               inner='upper', lower='lower', shoes='shoes', bag='bag', hat='hat', scarf='other',
               occluder='background', detail='other')
_INSIDE, _OUTSIDE = .75, .10      # of the pixels due: how many must change, how many others may


@dataclass(frozen=True)
class Truth:
    """Edit as the renderer makes it, in the asked colour and in all the others.

    Attributes:
        new: Index of the asked colour in the palette.
        renders: (colours, H, W, 3) Lab; the person with the garment in each basic colour.
        due: (H, W) bool, pixels that a right edit changes visibly.
        others: (H, W) bool, pixels that it leaves, away from those.
    """

    new: int
    renders: np.ndarray
    due: np.ndarray
    others: np.ndarray


def tell_truth(person, scene, garment, color, size=(128, 48)):
    """Render the truth of dyeing one garment; its shade is that of the colour's name."""
    names = palette()[0]
    before = render(person, scene, size)
    dyed = [render(replace(person, rgb={**person.rgb, garment: COLORS[name]}), scene, size)
            for name in names]
    new = names.index(color)
    lab = rgb_to_lab(np.array(dyed))
    change = np.linalg.norm(lab[new] - rgb_to_lab(before), axis=-1)
    seen = change[change > _VISIBLE]
    due = change > max(_VISIBLE, .5 * np.quantile(seen, .9)) if len(seen) else change > _VISIBLE
    touched = Image.fromarray(change > _NOTHING).convert('L').filter(ImageFilter.MaxFilter(5))
    return before, Truth(new, lab, due, np.asarray(touched) == 0)


def drawn_evidence(person, scene, size=(128, 48)):
    """Return what a perfect human parsing would say of a drawn picture."""
    table = np.array([PARTS.index(_PARSED[name]) for name in DRAWN_PARTS], np.uint8)
    parts = table[render(person, scene, size, with_parts=True)[1]]
    return EditEvidence(person=parts != PARTS.index('background'), parts=parts)


def coverage_and_spill(before, result, truth):
    """Compute the share of the pixels due that took the colour, and that of others that changed.

    A pixel has the colour if that is the nearest of the twelve in this light, or by the palette,
    and it changed at least half as much as it should.
    """
    lab, source = rgb_to_lab(result), rgb_to_lab(before)
    changed = (np.linalg.norm(lab - source, axis=-1)
               > .5 * np.linalg.norm(truth.renders[truth.new] - source, axis=-1))
    in_light = np.square(lab - truth.renders).sum(-1).argmin(0) == truth.new
    by_name = np.square(lab[..., None, :] - palette()[1]).sum(-1).argmin(-1) == truth.new
    spilt = (distance(before, result) > _VISIBLE) & truth.others
    count = max(1, truth.due.sum())
    return (changed & (in_light | by_name))[truth.due].mean(), spilt.sum() / count


def is_right(before, result, truth):
    """Tell whether most of the garment has the new colour and hardly anything else changed."""
    coverage, spill = coverage_and_spill(before, result, truth)
    return bool(coverage >= _INSIDE and spill <= _OUTSIDE)


def distance(first, second):
    """Compute the Lab distance of two images smoothed over 3 x 3 pixels, (H, W)."""
    smooth = [rgb_to_lab(np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1))))
              for image in (first, second)]
    return np.linalg.norm(smooth[0] - smooth[1], axis=-1)
