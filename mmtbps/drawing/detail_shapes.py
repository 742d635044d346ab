"""Drawing of the details of version 2."""

import numpy as np

from .canvas import Canvas
from .details import DetailedPerson
from .figure import Arm, Figure

__all__ = ['draw_details']


def draw_details(canvas: Canvas, person: DetailedPerson, figure: Figure) -> None:
    """Draw what is worn and held besides; the z-buffer sorts it among the rest."""
    for name in person.details.present():
        _SHAPES[name](canvas, person, figure, dict(
            part='detail', color=np.asarray(person.detail_rgb[name], np.float32)))


def _draw_mask(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    x = figure.lean
    canvas.sweep((x, .080, .030), (x, .098, .030), (.034, .030), (.032, .030), cloth=.3, **style)


def _draw_headphones(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    x = figure.lean
    for side in (1, -1):
        canvas.sweep((x + side * .055, .060, 0), (x + side * .055, .078, 0), (.019,), lift=.004,
                     **style)
        canvas.sweep((x + side * .055, .062, 0), (x, .008, 0), (.009,), lift=.004, **style)


def _draw_gloves(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    for arm in figure.arms:
        canvas.sweep(arm.wrist - .2 * (arm.hand - arm.wrist), arm.hand, (.022, .021), lift=.008,
                     **style)


def _draw_vest(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    x, puff = figure.lean, figure.puff + .007
    middle = (figure.chest + figure.waist) / 2
    canvas.sweep((x, .190, 0), (x * .5, .305, 0),
                 np.array((figure.shoulder * .62, figure.chest * .92, middle)) + puff,
                 np.array((figure.depth, figure.depth + .006, figure.depth)) + puff,
                 caps=(False, False), **style)
    canvas.sweep((x * .5, .300, 0), (0, .445, 0),
                 np.array((middle, figure.waist, figure.hip)) + puff,
                 np.full(3, figure.depth + puff), caps=(False, False), **style)


def _draw_tie(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    x, front = figure.lean, figure.depth + figure.puff
    canvas.sweep((x, .188, front), (x * .5, .375, front), (.009, .016, .018), (.006, .006, .006),
                 lift=.012, **style)


def _draw_belt(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    around = figure.hip + figure.puff + .006
    deep = figure.depth + figure.puff + .010
    canvas.sweep((0, .460, 0), (0, .482, 0), (around, around), (deep, deep), caps=(False, False),
                 lift=.004, cloth=.3, **style)


def _draw_stripe(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    for leg in figure.legs:
        out = np.array((leg.side * .036 * figure.build, 0, 0))
        canvas.sweep(leg.hip + out, leg.knee + .8 * out, (.014, .012), lift=.012, **style)
        canvas.sweep(leg.knee + .8 * out, leg.ankle + .6 * out, (.012, .011), lift=.012, **style)


def _draw_socks(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    for leg in figure.legs:
        top = leg.ankle + .55 * (leg.knee - leg.ankle)
        canvas.sweep(top, leg.ankle, np.array((.032, .024)) * (.5 + .5 * figure.build), lift=.004,
                     caps=(False, True), **style)


def _free_arm(person: DetailedPerson, figure: Figure) -> Arm:
    return next(arm for arm in figure.arms if arm.side == -person.bag_side)


def _draw_umbrella(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    hand = _free_arm(person, figure).hand
    canvas.sweep(hand - (0, .05, 0), hand + (0, .02, 0), (.007,), **style)
    canvas.sweep(hand + (0, .02, .005), hand + (0, .30, .03), (.012, .028, .024, .006), **style)


def _draw_bottle(canvas: Canvas, person: DetailedPerson, figure: Figure, style: dict) -> None:
    hand = _free_arm(person, figure).hand
    canvas.sweep(hand - (0, .065, -.018), hand + (0, .035, .018), (.012, .026, .026), lift=.01,
                 cloth=.2, **style)


_SHAPES = dict(
    mask=_draw_mask, headphones=_draw_headphones, gloves=_draw_gloves, vest=_draw_vest,
    tie=_draw_tie, belt=_draw_belt, stripe=_draw_stripe, socks=_draw_socks,
    umbrella=_draw_umbrella, bottle=_draw_bottle)
