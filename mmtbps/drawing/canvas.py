"""A z-buffer of color, depth and part, into which elliptic cross-sections are swept.

Body co-ordinates are in body heights: x to the person's left, y down from the crown, z to where
the person looks. The projection is orthographic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

#: Parts a pixel can belong to; the index is the value in the part buffer.
PARTS = ('background', 'skin', 'hair', 'glasses', 'upper', 'inner', 'lower', 'shoes', 'bag', 'hat',
         'scarf', 'occluder', 'detail')
PART = {name: index for index, name in enumerate(PARTS)}

Point = Sequence[float]
Color = Sequence[float] | np.ndarray


@dataclass
class Patch:
    """The visible pixels of one sweep, for a painter to color.

    Attributes:
        along: (n,) position on the axis, 0 to 1, beyond that in the round caps.
        around: (n,) angle about the body in radians, 0 in front, towards the person's left.
        rgb: (n, 3) color, painted in place.
        part: (n,) index into ``PARTS``, painted in place.
    """

    along: np.ndarray
    around: np.ndarray
    rgb: np.ndarray
    part: np.ndarray

    def paint(self, where: np.ndarray, color: Color, part: str | None = None) -> None:
        """Give the pixels ``where`` another color, and another part if named."""
        self.rgb[where] = color
        if part:
            self.part[where] = PART[part]


Painter = Callable[[Patch], None]


@dataclass
class Projection:
    """Projection of body co-ordinates into the image.

    Attributes:
        scale: Pixels per body height.
        centre: Column of the person's axis.
        top: Row of the crown.
        yaw: Turn of the person, in radians.
        pitch: Tilt of the camera, in rows per depth.
    """

    scale: float
    centre: float
    top: float
    yaw: float
    pitch: float


class Canvas:
    """Color, depth and part buffers of one image.

    Args:
        height, width: In pixels.
        frame: Projection.
        light: Direction of the light, x right, y down, z to the viewer; any length.
        rng: Draws the folds of the cloth.
    """

    def __init__(self, height: int, width: int, frame: Projection, light: Point,
                 rng: np.random.Generator) -> None:
        self.height, self.width, self.frame = height, width, frame
        self.rgb = np.zeros((height, width, 3), np.float32)
        self.depth = np.full((height, width), -np.inf, np.float32)
        self.part = np.zeros((height, width), np.uint8)
        self.light = np.asarray(light, np.float32) / np.linalg.norm(light)
        folds = Image.fromarray(rng.standard_normal((36, 14), np.float32))
        self.folds = .055 * np.asarray(folds.resize((width, height), Image.Resampling.BICUBIC))
        self.cos, self.sin = float(np.cos(frame.yaw)), float(np.sin(frame.yaw))

    def project(self, point: Point) -> tuple[float, float, float]:
        """Return column, row and depth (towards the viewer) in pixels."""
        x, y, z = point
        right, near = x * self.cos + z * self.sin, -x * self.sin + z * self.cos
        frame = self.frame
        return (frame.centre + right * frame.scale,
                frame.top + (y + frame.pitch * near) * frame.scale, near * frame.scale)

    def sweep(self, start: Point, end: Point, widths: Sequence[float],
              depths: Sequence[float] | None = None, *, part: str, color: Color = (255, 0, 255),
              painter: Painter | None = None, caps: tuple[bool, bool] = (True, True),
              lift: float = 0., square: float = 2., squash: float = 1., cloth: float = 1.) -> None:
        """Sweep an ellipse from ``start`` to ``end``.

        Args:
            start, end: Ends of the axis.
            widths: Half-widths sideways, evenly spaced along the axis.
            depths: Half-widths front to back; ``None`` sweeps a circle.
            part: Part of the pixels, a name of ``PARTS``.
            color: Color of the pixels.
            painter: Paints a pattern over the color.
            caps: Round start and round end; false for one that is cut off.
            lift: Moves the sweep towards the viewer, to win over what it lies on.
            square: Exponent of the outline: 2 an ellipse, more a box.
            squash: Length of the round caps relative to the half-width.
            cloth: Strength of the folds.
        """
        ends = self.project(start), self.project(end)
        wide, deep = self._half_widths(widths, widths if depths is None else depths)
        window = self._window(ends, float(wide.max()) + 1)
        if window is None:
            return
        along, across, beyond, depth = self._surface(window, ends, wide, deep, squash)
        for cap, over in zip(caps, (beyond < 0, beyond > 0), strict=True):
            if not cap:
                beyond = np.where(over, np.float32(9), beyond)
        depth = depth + np.float32(lift * self.frame.scale)
        seen = (np.abs(across) ** square + np.abs(beyond) ** square <= 1) & (
            depth > self.depth[window])
        if not seen.any():
            return
        along, u, v = (np.broadcast_to(a, seen.shape)[seen] for a in (along, across, beyond))
        patch = self._patch(along, u, part, color)
        if painter:
            painter(patch)
        shade = self._shade(u, v, np.sign(ends[1][1] - ends[0][1] + 1e-6))
        shade += cloth * self.folds[window][seen]
        self.rgb[window][seen] = patch.rgb * shade[:, None]
        self.part[window][seen] = patch.part
        self.depth[window][seen] = depth[seen]

    def _half_widths(self, widths: Sequence[float], depths: Sequence[float]) -> np.ndarray:
        """Return half-widths across and along the line of sight, in pixels: (2, knots)."""
        a, b = np.asarray(widths, np.float64), np.asarray(depths, np.float64)
        turned = np.hypot(a * self.cos, b * self.sin), np.hypot(a * self.sin, b * self.cos)
        return np.stack(turned) * self.frame.scale

    def _window(self, ends: tuple, margin: float) -> tuple[slice, slice] | None:
        """Return rows and columns around a sweep, or None if they are outside the image."""
        (x0, y0, _), (x1, y1, _) = ends
        rows = slice(int(max(min(y0, y1) - margin, 0)),
                     int(min(max(y0, y1) + margin + 1, self.height)))
        columns = slice(int(max(min(x0, x1) - margin, 0)),
                        int(min(max(x0, x1) + margin + 1, self.width)))
        empty = rows.start >= rows.stop or columns.start >= columns.stop
        return None if empty else (rows, columns)

    @staticmethod
    def _surface(window: tuple[slice, slice], ends: tuple, wide: np.ndarray, deep: np.ndarray,
                 squash: float) -> tuple[np.ndarray, ...]:
        """Return the place of every pixel on the sweep, and its depth.

        Returns:
            Position along the axis (0 to 1 between the ends), distance across it and distance
            beyond its ends (both relative to the half-width), depth. They broadcast to the window.
        """
        (x0, y0, z0), (x1, y1, z1) = ends
        rows, columns = window
        x = np.arange(columns.start, columns.stop, dtype=np.float32)[None] + np.float32(.5 - x0)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(.5 - y0)
        dx, dy = x1 - x0, y1 - y0
        if abs(dx) + abs(dy) < 1e-3:              # a ball, or an axis along the line of sight
            dx, dy = 0., 1e-3
        length = (dx * dx + dy * dy) ** .5
        if abs(dx) < 1e-6:                        # upright: the same all along a row, and cheaper
            along, side = y * (dy / length ** 2), x * (dy / length)
        else:
            along = (x * dx + y * dy) / length ** 2
            side = (x * dy - y * dx) / length
        inside = np.clip(along, 0, 1)
        knots = np.linspace(0, 1, len(wide))
        half = np.interp(inside, knots, wide).astype(np.float32)
        across = side / half
        beyond = (along - inside) * np.float32(length / squash) / half
        bulge = np.sqrt(np.clip(1 - across ** 2 - beyond ** 2, 0, 1))
        thick = np.interp(inside, knots, deep).astype(np.float32)
        return along, across, beyond, z0 + inside * (z1 - z0) + thick * bulge

    def _patch(self, along: np.ndarray, across: np.ndarray, part: str, color: Color) -> Patch:
        """Make a patch of pixels in one color, for a painter to go over."""
        around = np.arcsin(np.clip(across, -1, 1)) - self.frame.yaw
        return Patch(along=along, around=(around + np.pi) % (2 * np.pi) - np.pi,
                     rgb=np.broadcast_to(np.asarray(color, np.float32), (len(along), 3)).copy(),
                     part=np.full(len(along), PART[part], np.uint8))

    def _shade(self, u: np.ndarray, v: np.ndarray, down: float) -> np.ndarray:
        """Compute Lambert's light on the round surface, and a darker rim that sets parts apart."""
        facing = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        slope = np.clip(v, -1, 1) * down - .15
        light = np.clip(u * self.light[0] + slope * self.light[1] + facing * self.light[2], 0, 1)
        return .46 + .56 * light + .09 * facing
