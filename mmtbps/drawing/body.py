"""Drawing of the bare parts of a person: legs, arms, neck, and the head with its hair and hat."""

import numpy as np

from .canvas import Canvas
from .figure import Arm, Figure, Leg
from .person import Person
from .textures import face


def draw_bare_leg(canvas: Canvas, person: Person, figure: Figure, leg: Leg) -> None:
    """Draw thigh and calf in the color of the skin; trousers go over them."""
    skin, build = person.rgb['skin'], figure.build
    canvas.sweep(leg.hip, leg.knee, np.array((.042, .033)) * build, part='skin', color=skin)
    canvas.sweep(leg.knee, leg.ankle, np.array((.031, .031, .020)) * (.5 + .5 * build),
                 part='skin', color=skin)


def draw_bare_arm(canvas: Canvas, person: Person, arm: Arm) -> None:
    """Draw upper arm, forearm and hand; sleeves go over them."""
    skin = person.rgb['skin']
    if person.sleeves != 'long':
        canvas.sweep(arm.shoulder, arm.elbow, (.030, .025), part='skin', color=skin)
        canvas.sweep(arm.elbow, arm.wrist, (.024, .018), part='skin', color=skin)
    canvas.sweep(arm.wrist, arm.hand, (.018, .017), part='skin', color=skin)


def draw_neck(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the skin between head and collar."""
    x = figure.lean
    canvas.sweep((x, .115, .004), (x, .18, 0), (.028, .032), part='skin',
                 color=person.rgb['skin'])


def draw_head(canvas: Canvas, person: Person, figure: Figure) -> None:
    """Draw the head with face, hair and hat."""
    x = figure.lean
    grow = .004 if person.hair in ('short', 'bald') and person.hat == 'none' else .007
    canvas.sweep((x, .052, .006), (x, .088, .008),
                 (.047 + grow, .050 + grow * .7, .043), (.056 + grow, .058 + grow, .052),
                 part='skin', color=person.rgb['skin'], painter=face(person), cloth=.4)
    _draw_hat(canvas, person, x)
    _draw_hair(canvas, person, x)


def _draw_hat(canvas: Canvas, person: Person, x: float) -> None:
    color = np.asarray(person.rgb['hat'])
    if person.hat == 'cap':
        canvas.sweep((x, .050, .055), (x, .054, .095), (.034, .026), part='hat',
                     color=color * .85)
        canvas.sweep((x, .030, .004), (x, .040, .004), (.050,), (.056,), part='hat',
                     color=color, lift=.002)
    elif person.hat == 'beanie':
        canvas.sweep((x, .022, 0), (x, .044, .002), (.046, .056), (.05, .062), part='hat',
                     color=color)


def _draw_hair(canvas: Canvas, person: Person, x: float) -> None:
    """Draw hair that hangs or stands off the head; what lies on it is painted by the face."""
    style = dict(part='hair', color=person.rgb['hair'], cloth=2.)
    if person.hair in ('long', 'shoulder-length'):
        end = .29 if person.hair == 'long' else .185
        canvas.sweep((x, .04, -.016), (x, end, -.036), (.054, .064, .066, .050),
                     (.046, .044, .034, .026), **style)
        for side in (1, -1):
            canvas.sweep((x + side * .046, .07, .004), (x + side * .052, min(end, .22), .014),
                         (.018, .02, .014), **style)
    elif person.hair == 'ponytail':
        canvas.sweep((x, .065, -.06), (x, .21, -.075), (.018, .026, .014), **style)
    elif person.hair == 'bun':
        canvas.sweep((x, .010, -.042), (x, .018, -.047), (.030,), **style)
