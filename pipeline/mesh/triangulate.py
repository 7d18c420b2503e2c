"""Constrained Delaunay triangulation of a polygon with points inside it; used once, to derive the shipped topology."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Points = NDArray[np.float64]
Triangles = NDArray[np.int32]
Edge = tuple[int, int]


def constrained_delaunay(points: Points, boundary: Sequence[int], edges: Iterable[Edge]) -> Triangles:
    """Triangulate the polygon `boundary` over `points` (n, 2) so that every edge in `edges` is kept.

    Returns int32 (t, 3), counter-clockwise in a frame with y up. Raises `ValueError` where an edge cannot be forced
    in, because it crosses another required edge or runs through a point.
    """
    rim = {_edge(a, b) for a, b in zip(boundary, (*boundary[1:], boundary[0]), strict=True)}
    required = rim | {_edge(a, b) for a, b in edges}
    mesh = _Mesh(points, Delaunay(points).simplices)
    for edge in sorted(required):
        mesh.force(edge, required)
    mesh.improve(required)
    polygon = points[list(boundary)].astype(np.float32)
    kept = [t for t in mesh.triangles if cv2.pointPolygonTest(polygon, points[list(t)].mean(0).tolist(), False) > 0]
    return np.array(sorted(_rotated(t) for t in kept), dtype=np.int32)


def _edge(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _rotated(triangle: tuple[int, int, int]) -> tuple[int, int, int]:
    """The same triangle with its smallest index first, so that a table of triangles has one spelling."""
    k = triangle.index(min(triangle))
    a, b, c = (*triangle[k:], *triangle[:k])
    return a, b, c


class _Mesh:
    """A set of triangles that knows who shares an edge, and can flip it."""

    def __init__(self, points: Points, simplices: NDArray[np.int32]) -> None:
        self.points = points
        self.triangles: set[tuple[int, int, int]] = set()
        self.across: dict[Edge, set[int]] = {}
        for a, b, c in simplices.tolist():
            self._add(a, b, c)

    def force(self, edge: Edge, fixed: set[Edge]) -> None:
        """Flip the edges that cross `edge`, none of them fixed, until it is there."""
        for _ in range(len(self.triangles)):
            if edge in self.across:
                return
            crossing = [e for e in self.across if self._cross(e, edge)]
            if fixed.intersection(crossing) or not any(self._flip(e) for e in crossing):
                break
        raise ValueError(f"the edge {edge} cannot be forced into the triangulation")

    def improve(self, fixed: set[Edge]) -> None:
        """Restore the Delaunay property everywhere but across the fixed edges."""
        for _ in range(len(self.points)):
            bad = [e for e in list(self.across) if e not in fixed and self._inside(e)]
            if sum(self._flip(e) for e in bad) == 0:
                return

    def _turn(self, a: int, b: int, c: int) -> float:
        """Twice the signed area of a triangle, positive when counter-clockwise."""
        (ax, ay), (bx, by), (cx, cy) = self.points[a], self.points[b], self.points[c]
        return float((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    def _add(self, a: int, b: int, c: int) -> None:
        if self._turn(a, b, c) < 0:
            b, c = c, b
        self.triangles.add(_rotated((a, b, c)))
        for (p, q), r in (((a, b), c), ((b, c), a), ((c, a), b)):
            self.across.setdefault(_edge(p, q), set()).add(r)

    def _remove(self, a: int, b: int, c: int) -> None:
        self.triangles -= {_rotated((a, b, c)), _rotated((a, c, b))}
        for (p, q), r in (((a, b), c), ((b, c), a), ((c, a), b)):
            around = self.across[_edge(p, q)]
            around.discard(r)
            if not around:
                del self.across[_edge(p, q)]

    def _cross(self, one: Edge, two: Edge) -> bool:
        if set(one) & set(two):
            return False
        (a, b), (c, d) = one, two
        return self._turn(a, b, c) * self._turn(a, b, d) < 0 and self._turn(c, d, a) * self._turn(c, d, b) < 0

    def _flip(self, edge: Edge) -> bool:
        """Replace an edge by the other diagonal of its quadrilateral, if that is convex."""
        ends = tuple(self.across.get(edge, ()))
        if len(ends) != 2 or not self._cross(edge, _edge(*ends)):
            return False
        (a, b), (c, d) = edge, ends
        self._remove(a, b, c)
        self._remove(a, b, d)
        self._add(a, c, d)
        self._add(b, c, d)
        return True

    def _inside(self, edge: Edge) -> bool:
        """Whether the far corner lies inside the circle through the other three."""
        ends = tuple(self.across.get(edge, ()))
        if len(ends) != 2:
            return False
        (a, b), (c, d) = edge, ends
        if self._turn(a, b, c) < 0:
            a, b = b, a
        rows = self.points[[a, b, c]] - self.points[d]
        lifted = np.column_stack([rows, (rows**2).sum(axis=1)])
        return bool(np.linalg.det(lifted) > 1e-12)
