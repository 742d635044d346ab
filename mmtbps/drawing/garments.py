"""Drawing of clothes and shoes."""

import numpy as np

from .canvas import Canvas
from .figure import Arm, Figure, Leg
from .person import Person
from .textures import sleeve, stretched, torso

TROUSERS = {  # half-widths of thigh and shin
    'trousers': ((.049, .040), (.039, .036, .033)),
    'jeans': ((.048, .038), (.037, .033, .030)),
    'leggings': ((.044, .035), (.033, .031, .022)),
}


def draw_leg_wear(canvas: Canvas, person: Person, figure: Figure, leg: Leg) -> None:
    """Draw one trouser leg or one leg of the shorts."""
    style = dict(part='lower', color=person.rgb['lower'])
    build = figure.build
    if person.lower in TROUSERS:
        thigh, shin = TROUSERS[person.lower]
        canvas.sweep(leg.hip, leg.knee, np.array(thigh) * build, **style)
        canvas.sweep(leg.knee, leg.ankle, np.array(shin) * (.5 + .5 * build), **style)
    elif person.lower == 'shorts':
        end = leg.hip + .82 * (leg.knee - leg.hip)
        canvas.sweep(leg.hip, end, np.array((.052, .056)) * build, caps=(True, False), lift=.006,
                     **style)


def draw_shoe(canvas: Canvas, person: Person, leg: Leg) -> None:
    """Draw a shoe with its sole; boots have a shaft, sneakers a light sole."""
    color = np.asarray(person.rgb['shoes'])
    ankle, heel, toe = leg.ankle, leg.heel, leg.toe
    if person.shoes == 'boots':
        canvas.sweep(ankle - (0, .10, .005), ankle, (.036, .031), part='shoes', color=color,
                     lift=.008)
    canvas.sweep(ankle, toe, (.027, .022), part='shoes', color=color, lift=.006)
    sole = color * .6 + (90 if person.shoes == 'sneakers' else 0)
    canvas.sweep(heel, toe + (0, .008, 0), (.016, .013), part='shoes', color=sole, lift=.004)


def draw_hips(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the seat of the trousers, or the skirt."""
    if person.lower == 'none':
        return
    style = dict(part='lower', color=person.rgb['lower'])
    waist, hip = figure.waist, figure.hip
    canvas.sweep((0, .39, 0), (0, .505, 0), (waist + .002, hip, hip * .93),
                 np.array((.05, .058, .05)) * figure.build, **style)
    if person.lower == 'skirt':
        canvas.sweep((0, .41, 0), (0, person.hem, 0), (waist + .01, hip + .012, hip + .03),
                     (.06, .075, max(.09, figure.flare(person.hem))), caps=(False, False),
                     lift=.004, **style)


def draw_upper(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the torso of the upper garment, the tails of a coat or a dress, and the collar."""
    x, puff, build = figure.lean, figure.puff, figure.build
    shoulder, chest, waist, hip = figure.shoulder, figure.chest, figure.waist, figure.hip
    depth = figure.depth
    paint = torso(person)
    style = dict(part='upper', color=person.rgb['upper'])
    middle = (chest + waist) / 2
    canvas.sweep((x, .172, 0), (x * .5, .30, 0),
                 np.array((shoulder * .72, shoulder, chest, middle)) + puff,
                 np.array((.042 * build, depth, depth + .006, depth)) + puff,
                 painter=stretched(paint, 0, .5), caps=(True, False), squash=.3, **style)
    low = .48 if person.upper in ('coat', 'dress') else .47
    canvas.sweep((x * .5, .295, 0), (0, low, 0), np.array((middle, waist, hip + .003)) + puff,
                 np.array((depth, depth - .004, depth + .004)) + puff,
                 painter=stretched(paint, .5, 1), caps=(False, False), **style)
    half = figure.flare(person.hem * .5 + .25)
    if person.upper == 'dress':
        canvas.sweep((0, .44, 0), (0, person.hem, 0), (hip, hip + .018, hip + .035),
                     (.062, max(.08, half), max(.10, figure.flare(person.hem))),
                     painter=stretched(paint, .8, 2), caps=(False, False), lift=.004, **style)
    elif person.upper == 'coat':
        canvas.sweep((0, .44, 0), (0, person.hem, 0), (hip + .014, hip + .02, hip + .03),
                     (.074, max(.08, half), max(.088, figure.flare(person.hem))),
                     painter=stretched(paint, .85, 1.15), caps=(False, False), lift=.005, **style)
    _draw_collar(canvas, person, x)


def _draw_collar(canvas: Canvas, person: Person, x: float) -> None:
    color = np.asarray(person.rgb['upper'])
    if person.upper in ('jacket', 'coat', 'shirt', 'hoodie'):
        canvas.sweep((x, .152, .002), (x, .178, 0), (.036, .05), (.036, .04), part='upper',
                     color=color * .86, caps=(False, False))
    if person.upper == 'hoodie':
        canvas.sweep((x, .160, -.045), (x, .192, -.052), (.052, .060), (.028, .032),
                     part='upper', color=color * .88)


def draw_sleeve(canvas: Canvas, person: Person, figure: Figure, arm: Arm) -> None:
    """Draw a short or long sleeve, with the pattern running on or in the contrasting color."""
    if person.sleeves == 'none':
        return
    slot = 'accent' if person.contrast_sleeves else 'upper'
    style = dict(part='upper', color=person.rgb[slot], lift=.004)
    paint, puff = sleeve(person), figure.puff * .6
    if person.sleeves == 'short':
        end = arm.shoulder + .68 * (arm.elbow - arm.shoulder)
        canvas.sweep(arm.shoulder, end, (.034 + puff, .035 + puff), caps=(True, False),
                     painter=stretched(paint, 0, .4), **style)
        return
    canvas.sweep(arm.shoulder, arm.elbow, (.034 + puff, .029 + puff),
                 painter=stretched(paint, 0, .5), **style)
    canvas.sweep(arm.elbow, arm.wrist, (.029 + puff, .023 + puff),
                 painter=stretched(paint, .5, .9), **style)
