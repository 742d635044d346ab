"""A person of plain blocks, edits of it in right and wrong places, and evidence made by hand."""

from dataclasses import replace

import numpy as np
from drawn_edits import BLUE, GREEN, RED, ask
from PIL import Image

from mmtbps.generation.editing.base import EditResult
from mmtbps.generation.evidence import PARTS, EditEvidence

SIZE = 96, 40
GRAY, SKIN, HAIR = (128, 128, 128), (205, 160, 130), (60, 45, 35)
#: Place of each thing, (top, bottom, left, right); the later one hides the earlier.
PLACES = dict(hair=(6, 12, 14, 26), face=(10, 24, 14, 26), upper=(24, 52, 8, 32),
              hand=(46, 56, 32, 38), lower=(52, 84, 10, 30), shoes=(84, 92, 10, 30),
              wheel=(40, 70, 0, 7))
COLORS = dict(hair=HAIR, face=SKIN, upper=RED, hand=SKIN, lower=BLUE, shoes=(30, 30, 30),
              wheel=(20, 20, 20))


def at(name):
    """The pixels of a thing."""
    top, bottom, left, right = PLACES[name]
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def picture(**colors):
    image = np.full((*SIZE, 3), GRAY, np.uint8)
    for name, color in {**COLORS, **colors}.items():
        image[at(name)] = color
    return image


def dyed(mask, color=GREEN):
    image = picture()
    image[mask] = color
    return image


def parsing(without=()):
    """Parts as a perfect model finds them: a wheel is background, a hand is skin."""
    parts = np.zeros(SIZE, np.uint8)
    for name in PLACES:
        part = dict(hand='skin', wheel='background').get(name, name)
        parts[at(name)] = PARTS.index('background' if part in without else part)
    return EditEvidence(parts=parts)


def person():
    """The outline alone."""
    return EditEvidence(person=parsing().parts > 0)


def skeleton(**moved):
    """Key-points of someone who stands; keywords move joints, ``None`` hides one."""
    from mmtbps.generation.evidence import KEYPOINTS
    rows = dict(nose=17, eye=15, ear=15, shoulder=26, elbow=38, wrist=50, hip=52, knee=68, ankle=84)
    points = np.zeros((len(KEYPOINTS), 3))
    for i, name in enumerate(KEYPOINTS):
        side = {'left': 14, 'right': 26}.get(name.split('_')[0], 20)
        points[i] = side, rows[name.split('_')[-1]], .9
        if name in moved:
            points[i] = (0, 0, 0) if moved[name] is None else (*moved[name], .9)
    return EditEvidence(keypoints=points)


def request_for(evidence=None, region='upper'):
    """Ask for a green shirt in place of the red one."""
    return replace(ask(picture()), region=region, evidence=evidence)


def result_of(image, mask=None, evidence=None):
    return EditResult('j', Image.fromarray(image), mask, evidence=evidence)


def wrong_place(name):
    """An edit that takes something else for the garment, under a mask that says so."""
    return result_of(dyed(at(name)), at(name))
