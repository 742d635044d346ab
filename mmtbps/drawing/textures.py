"""Patterns, openings, straps and faces as functions of the place on the body."""

import numpy as np

from .canvas import Color, Painter, Patch
from .person import Person


def stretched(painter: Painter, start: float, stop: float) -> Painter:
    """Make ``painter`` see its axis as ``start`` to ``stop``: one pattern over several sweeps."""
    def paint(patch: Patch) -> None:
        own, patch.along = patch.along, start + patch.along * (stop - start)
        painter(patch)
        patch.along = own
    return paint


def pattern(kind: str, accent: Color) -> Painter:
    """Make the painter of a pattern in a second color; ``plain`` paints nothing."""
    accent = np.asarray(accent, np.float32)

    def plaid(patch: Patch) -> None:
        lines = (patch.along * 6 % 1 < .4) * .5 + (patch.around * 2.2 % 1 < .4) * .5
        patch.rgb += (accent - patch.rgb) * lines[:, None].astype(np.float32)

    masks = {
        'striped': lambda t, angle: t * 7 % 1 < .45,
        'dotted': lambda t, angle: (t * 9 % 1 - .5) ** 2 + (angle * 3 % 1 - .5) ** 2 < .07,
        'logo': lambda t, angle: (np.abs(angle) < .5) & (np.abs(t - .36) < .13),
        'block': lambda t, angle: t < .42,
    }
    if kind == 'plain':
        return lambda patch: None
    if kind == 'plaid':
        return plaid
    return lambda patch: patch.paint(masks[kind](patch.along, patch.around), accent)


def torso(person: Person) -> Painter:
    """Make the painter of the upper garment: pattern, opening or zip, and the straps of a bag."""
    rgb = {slot: np.asarray(value, np.float32) for slot, value in person.rgb.items()}
    kind = 'plain' if person.contrast_sleeves else person.pattern
    base = pattern(kind, rgb['accent'])
    zipped = person.upper in ('jacket', 'coat', 'hoodie') and not person.open

    def paint(patch: Patch) -> None:
        base(patch)
        t, front = patch.along, np.abs(patch.around)
        if person.open:
            edge = .28 + .22 * t
            patch.paint(front < edge, rgb['inner'], 'inner')
            patch.paint(np.abs(front - edge) < .06, rgb['upper'] * .6, 'upper')
        elif zipped:
            patch.paint(front < .06, rgb['upper'] * .55 + 30)
        elif person.upper == 'shirt':                         # the button strip
            patch.paint((front < .05) & (t < .98), rgb['upper'] * .72)
        if person.bag == 'backpack':
            patch.paint((np.abs(front - .62) < .13) & (t < .55), rgb['bag'] * .85, 'bag')
        elif person.bag == 'shoulder bag':
            angle = np.where(front < np.pi / 2, patch.around,
                             np.sign(patch.around) * np.pi - patch.around)
            line = (t - .45) * 2.6 * person.bag_side
            patch.paint(np.abs(angle - line) < .17, rgb['bag'] * .8, 'bag')
    return paint


def sleeve(person: Person) -> Painter:
    """Make the painter of a sleeve: patterns that run on over the arm."""
    runs_on = person.pattern in ('striped', 'plaid', 'dotted')
    return pattern(person.pattern if runs_on else 'plain', person.rgb['accent'])


def face(person: Person) -> Painter:
    """Make the painter of the head: eyes, mouth, beard, glasses, hair line and hat."""
    rgb = {slot: np.asarray(value, np.float32) for slot, value in person.rgb.items()}
    skin, hair = rgb['skin'], rgb['hair']
    if person.hair == 'short':
        line = (.25, .24, .34, .58, .74, .80)
    else:
        line = (.26, .25, .40, .66, .92, 1.)
    hat_edge = {'cap': (.30, .40), 'beanie': (.36, .42)}.get(person.hat)

    def paint(patch: Patch) -> None:
        v, q = (patch.along * .9 + .53) / 2, np.abs(patch.around)     # v: 0 crown, 1 chin
        eye = np.abs(q - .42)
        patch.paint((eye < .14) & (np.abs(v - .50) < .045), skin * .35)
        patch.paint((q < .3) & (np.abs(v - .78) < .03), skin * (.75, .5, .5))
        if person.beard:
            patch.paint((q < 1.3) & (v > .70 + .06 * np.cos(2 * q)), hair, 'hair')
        if person.glasses == 'sunglasses':
            patch.paint((q < 1.1) & (np.abs(v - .50) < .085), (22, 22, 26), 'glasses')
        elif person.glasses == 'glasses':
            ring = (eye < .30) & (np.abs(v - .50) < .10)
            ring &= ~((eye < .2) & (np.abs(v - .50) < .06))
            patch.paint(ring | ((q < 1.1) & (np.abs(v - .50) < .03)), (22, 22, 26), 'glasses')
        if person.hair != 'bald':
            patch.paint(v < np.interp(q, (0, .6, 1., 1.5, 2., np.pi), line), hair, 'hair')
        if hat_edge:
            edge = np.interp(q, (0, np.pi), hat_edge)
            patch.paint(v < edge, rgb['hat'], 'hat')
            if person.hat == 'beanie':
                patch.paint((v < edge) & (v > edge - .09), rgb['hat'] * .8)
    return paint
