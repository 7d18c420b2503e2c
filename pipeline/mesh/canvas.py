"""The rectangle of a picture that a face is drawn into, with what each of its pixels shows of which triangle.

Maps are made at half resolution and enlarged: they are smooth within triangles, and it costs a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FaceRefused
from pipeline.faces import Floats, Pixels
from pipeline.mesh.geometry import Placement
from pipeline.mesh.raster import Level, back_to_front, evaluate, paint, triangle_maps
from pipeline.mesh.topology import Topology

Indices = NDArray[np.int32]

FOLD = 8 / 512  # a jump of the layout position between neighbours beyond this (at 512 px width) is a fold
SMALLEST_SIDE = 8  # pixels of the face that must lie inside the picture


@dataclass(frozen=True, eq=False)
class Canvas:
    """A rectangle inside the picture: `x`, `y`, `width`, `height` in whole pixels.

    `numbers` int32 at half resolution is the triangle under each pixel, -1 where there is none; `points` float32
    (504, 2) are the drawn vertices in picture pixels.
    """

    x: int
    y: int
    width: int
    height: int
    numbers: Indices
    points: Floats
    topology: Topology

    @classmethod
    def lay(cls, placement: Placement, topology: Topology, picture: tuple[int, int]) -> Canvas:
        """Draw the placed mesh, clipped to a picture of (height, width)."""
        points = np.ascontiguousarray(placement.after[:, :2])
        low = np.maximum(np.floor(points.min(axis=0)) - 2, 0)
        high = np.minimum(np.ceil(points.max(axis=0)) + 3, [picture[1], picture[0]])
        x, y = int(low[0]), int(low[1])
        width, height = int(high[0]) - x, int(high[1]) - y
        if min(width, height) < SMALLEST_SIDE:
            raise FaceRefused("face_outside", "The face lies outside the picture.", "Show the whole face.")
        ring = len(topology.ring_triangles)
        order = np.concatenate(
            [np.arange(ring, dtype=np.int32), ring + back_to_front(placement.after[:, 2], topology.triangles)]
        )
        half = ((points - np.array([x, y], np.float32)) / 2).astype(np.float32)
        size = ((height + 1) // 2, (width + 1) // 2)
        return cls(x, y, width, height, paint(half, topology.drawn, order, size), points, topology)

    def carry(self, values: Floats, outside: float) -> Floats:
        """Interpolate values of the drawn vertices (504, 2) over the rectangle: float32 half resolution (h, w, 2)."""
        rows, columns = self.numbers.shape
        x = np.arange(columns, dtype=np.float32) * 2 + np.float32(self.x + 1)
        y = np.arange(rows, dtype=np.float32) * 2 + np.float32(self.y + 1)
        return evaluate(self.numbers, triangle_maps(self.points, values, self.topology.drawn), x, y, outside)

    def enlarge(self, half: NDArray[Level], method: int = cv2.INTER_LINEAR) -> NDArray[Level]:
        """Bring a half-resolution map to the rectangle's size."""
        rows, columns = self.numbers.shape
        full: NDArray[Level] = cv2.resize(half, (columns * 2, rows * 2), interpolation=method)
        return np.ascontiguousarray(full[: self.height, : self.width])

    def layout_positions(self) -> tuple[Floats, Floats]:
        """Where in the layout each pixel comes from: float32 (h, w, 2) at half and at full resolution.

        Across folds (nostrils, a profile) the nearest position is taken: between two far-apart texels lies nothing.
        """
        half = self.carry(self.topology.drawn_uv, -1)
        full = self.enlarge(half)
        square = np.ones((3, 3), np.uint8)
        spread = cv2.dilate(half, square) - cv2.erode(half, square)
        jump = np.maximum(spread[..., 0], spread[..., 1]) > FOLD * max(1, 1024 / self.width)
        if jump.any():
            nearest = self.enlarge(half, cv2.INTER_NEAREST)
            folded = self.enlarge(jump.astype(np.uint8), cv2.INTER_NEAREST)
            full = cv2.copyTo(nearest, folded, full)
        return half, full

    def face(self) -> Pixels:
        """Uint8 (h, w) at half resolution, 1 well inside the drawn face: not on the ring and not on the outline."""
        drawn = (self.numbers >= len(self.topology.ring_triangles)).astype(np.uint8)
        inner: Pixels = cv2.erode(drawn, np.ones((3, 3), np.uint8))
        return inner
