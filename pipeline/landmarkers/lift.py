"""Fits the 468-point mesh to few landmarks, so that a model that predicts 5 or 68 points can stand in for the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.align import FIVE_POINT_VERTICES, Points
from pipeline.faces import Floats
from pipeline.mesh.topology import shipped_topology

# The mesh vertices at each of the 68 landmarks of the iBUG scheme: jaw, brows, nose, eyes, outer and inner lips, each
# from the image's left. Where two are named the landmark lies between them.
_IBUG: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397, 288), (361, 288), (323,), (454,), (356,)),
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),
    *((33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,)),
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),
)
_CALM = 0.05  # cm: how little of a landmark's noise the surface follows


def lift_five(points: Points) -> Floats:
    """Return a mesh, float32 (468, 3) in pixels, posed so that its five points lie on the given ones (5, 2).

    The shape is the mean face's: good for a pose, a width and a box, not for an outline.
    """
    return _posed(np.asarray(points, np.float64), FIVE_POINT_VERTICES)


def lift_68(points: Points) -> Floats:
    """Return a mesh, float32 (468, 3) in pixels, that passes through the 68 landmarks (68, 2).

    The mean face is posed by the landmarks; what is left between the two is spread smoothly over the surface.
    """
    seen = np.asarray(points, np.float64)
    mesh = _posed(seen, _IBUG)
    left = seen - _means(mesh[:, :2].astype(np.float64), _IBUG)
    mesh[:, :2] += (_spreader() @ left).astype(np.float32)
    return mesh


def _posed(points: NDArray[np.float64], groups: Sequence[Sequence[int]]) -> Floats:
    """The mean face under the scaled rotation that fits the points best from afar (scaled orthography)."""
    shape = shipped_topology().shape.astype(np.float64)
    known = _means(shape, groups)
    centre, middle = known.mean(axis=0), points.mean(axis=0)
    camera = np.linalg.lstsq(known - centre, points - middle, rcond=None)[0].T  # (2, 3), any affine camera
    u, spread, vt = np.linalg.svd(camera, full_matrices=False)
    rows = u @ vt  # the nearest two rows of a rotation
    rotation = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
    mesh = float(spread.mean()) * (shape - centre) @ rotation.T
    mesh[:, :2] += middle
    return np.asarray(mesh, np.float32)


def _means(values: NDArray[np.float64], groups: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    return np.stack([values[list(group)].mean(axis=0) for group in groups])


@lru_cache(maxsize=1)
def _spreader() -> NDArray[np.float64]:
    """Spreads 68 displacements over the mesh, float64 (468, 68): a spline over the face with the kernel -r.

    A shift of all landmarks shifts the whole mesh; `_CALM` lets a single odd landmark be missed by a little.
    """
    shape = shipped_topology().shape.astype(np.float64)
    known = _means(shape, _IBUG)
    count = len(known)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = _CALM * np.eye(count) - _distances(known, known)
    system[:count, count] = system[count, :count] = 1
    weights = np.linalg.inv(system)[:, :count]
    reach = np.concatenate([-_distances(shape, known), np.ones((len(shape), 1))], axis=1)
    return np.asarray(reach @ weights)


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2))
