"""Drawing of bags and the scarf."""

import numpy as np

from .canvas import Canvas, Patch
from .figure import Figure
from .person import Person


def draw_scarf(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the scarf round the neck, one end hanging down in front."""
    if person.scarf:
        x = figure.lean
        color = np.asarray(person.rgb['scarf'])
        canvas.sweep((x, .148, .008), (x, .172, .008), (.047, .053), part='scarf', color=color)
        canvas.sweep((x + .02, .175, .058), (x + .024, .27, .070), (.016, .018), (.012, .012),
                     part='scarf', color=color * .9)


def draw_bag(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the bag on the back, at the hip, in the hand or on the ground."""
    draw = {'backpack': _draw_backpack, 'shoulder bag': _draw_shoulder_bag,
            'handbag': _draw_hand_bag, 'shopping bag': _draw_hand_bag,
            'suitcase': _draw_suitcase}.get(person.bag)
    if draw:
        draw(canvas, person, figure, np.asarray(person.rgb['bag'], np.float32))


def _draw_backpack(canvas: Canvas, person: Person, figure: Figure, color: np.ndarray) -> None:
    def seam(patch: Patch) -> None:
        patch.paint(np.abs(patch.along - .605) < .025, color * .6)

    back = -figure.depth - figure.puff
    canvas.sweep((figure.lean, .215, back - .045), (figure.lean, .385, back - .05),
                 (.062, .074, .076, .07), (.045, .055, .058, .05), part='bag', color=color,
                 painter=seam, square=2.6)


def _draw_shoulder_bag(canvas: Canvas, person: Person, figure: Figure,
                       color: np.ndarray) -> None:
    def flap(patch: Patch) -> None:
        patch.paint(patch.along < .3, color * .8)

    x = person.bag_side * (figure.hip + .035)
    canvas.sweep((x, .43, .015), (x, .53, .015), (.03, .034), (.062, .066), part='bag',
                 color=color, painter=flap, caps=(False, False), lift=.012)


def _draw_hand_bag(canvas: Canvas, person: Person, figure: Figure, color: np.ndarray) -> None:
    """Draw a handbag or a shopping bag, hanging from the hand by two handles."""
    arm = next(arm for arm in figure.arms if arm.side == person.bag_side)
    hand = arm.hand + (0, .01, 0)
    length, widths = (.07, (.052, .060)) if person.bag == 'handbag' else (.13, (.056, .066))
    for forward in (.03, -.03):
        canvas.sweep(hand, hand + (0, .045, forward), (.006,), part='bag', color=color * .7)
    top = hand + (person.bag_side * .01, .035, 0)
    canvas.sweep(top, top + (0, length, 0), (.026, .03), widths, part='bag', color=color,
                 caps=(False, False), lift=.01)


def _draw_suitcase(canvas: Canvas, person: Person, figure: Figure, color: np.ndarray) -> None:
    x = person.bag_side * .165
    canvas.sweep((x, .71, -.05), (x, .955, -.05), (.047, .052), (.065, .07), part='bag',
                 color=color, caps=(False, False), square=4)
    canvas.sweep((x, .54, -.04), (x, .71, -.05), (.006,), part='bag', color=(60, 60, 60))
