"""Widths and joints of a person in a pose, in body heights."""

from dataclasses import dataclass

import numpy as np

from .canvas import Projection
from .person import Person, Pose

#: How far a garment stands off the body.
PUFF = {'coat': .012, 'jacket': .011, 'hoodie': .012, 'sweater': .007}
#: Half-widths of shoulders, chest, waist and hips of an average build.
OUTLINE = {'woman': (.090, .083, .067, .089), 'man': (.107, .098, .083, .084)}


@dataclass(frozen=True)
class Leg:
    """Joints of a leg; ``side`` is 1 for the person's left."""

    side: int
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    heel: np.ndarray
    toe: np.ndarray


@dataclass(frozen=True)
class Arm:
    """Joints of an arm; ``side`` is 1 for the person's left."""

    side: int
    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    hand: np.ndarray


@dataclass(frozen=True)
class Figure:
    """Measures that every part of the drawing shares.

    Widths are half-widths; ``puff`` is how far the upper garment stands off the body.
    """

    build: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    depth: float
    puff: float
    lean: float
    stride: float
    legs: tuple[Leg, Leg]
    arms: tuple[Arm, Arm]

    def flare(self, y: float) -> float:
        """Compute how far cloth at height ``y`` reaches forward, to let striding legs through."""
        return .05 + (y - .5) * abs(np.sin(self.stride)) * 1.05

    def ground(self, frame: Projection) -> float:
        """Compute the height of the lower foot in the image, in body heights from the crown."""
        lows = [p[1] + frame.pitch * (-p[0] * np.sin(frame.yaw) + p[2] * np.cos(frame.yaw))
                for leg in self.legs for p in (leg.heel, leg.toe)]
        return max(lows)


def build_figure(person: Person, pose: Pose) -> Figure:
    """Compute the measures of ``person`` standing as ``pose`` says."""
    shoulder, chest, waist, hip = OUTLINE[person.gender]
    build = person.build
    shoulder *= .8 + .2 * build
    return Figure(
        build=build, shoulder=shoulder, chest=chest * build, waist=waist * build, hip=hip * build,
        depth=.058 * build, puff=PUFF.get(person.upper, .003), lean=pose.lean, stride=pose.stride,
        legs=tuple(_leg(pose, side) for side in (1, -1)),
        arms=tuple(_arm(pose, side, shoulder, build) for side in (1, -1)))


def _leg(pose: Pose, side: int) -> Leg:
    swing = pose.stride * side
    hip = np.array((side * .044, .50, 0.))
    knee = np.array((side * (.046 + pose.spread * .3), .50 + .235 * np.cos(swing),
                     .235 * np.sin(swing)))
    shin = swing - max(0., -swing) * pose.lift - .03          # the rear knee bends
    ankle = np.array((side * (.046 + pose.spread), knee[1] + .225 * np.cos(shin),
                      knee[2] + .225 * np.sin(shin)))
    foot = shin * (.8 if shin < 0 else .5)
    toe = np.array((ankle[0] * 1.3, ankle[1] + .022 - .06 * np.sin(foot),
                    ankle[2] + .06 * np.cos(foot)))
    return Leg(side, hip, knee, ankle, heel=ankle + (0, .022, -.008), toe=toe)


def _arm(pose: Pose, side: int, shoulder: float, build: float) -> Arm:
    swing = pose.arm * -side * (np.sign(pose.stride) or 1)    # against the leg of its side
    bend = pose.elbows[0 if side > 0 else 1]
    start = np.array((pose.lean + side * (shoulder - .010), .198, 0.))
    elbow = start + .15 * np.array((side * (.16 + .06 * build), np.cos(swing), np.sin(swing)))
    fore, inward = swing + bend, -.25 * side * min(bend, 1.)
    wrist = elbow + .135 * np.array((side * .06 + inward, np.cos(fore), np.sin(fore)))
    hand = wrist + .03 * np.array((inward, np.cos(fore), np.sin(fore)))
    return Arm(side, start, elbow, wrist, hand)
