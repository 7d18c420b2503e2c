"""Painted heads on the shipped mesh, so that most of the engine's tests need no model and no photo."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.faces import Face, Floats, Pixels, Pose
from pipeline.mesh.geometry import Similarity
from pipeline.mesh.indices import BROWS, EYES, INNER_LIPS, OUTER_LIPS
from pipeline.mesh.topology import shipped_topology


def mesh_at(x: float, y: float, width: float, *, yaw: float = 0.0, widen: float = 1.0) -> Floats:
    """The mean face with its ears `width` pixels apart, about (x, y), turned by `yaw` degrees, widened by a factor."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    rotation = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    shape = shipped_topology().shape * np.array([widen, 1, 1], np.float32)
    return Similarity(rotation, width / 15.33, np.array([x, y, 0], np.float32)).to_picture(shape)


def face_on(mesh: Floats, width: float) -> Face:
    return Face(mesh=mesh, presence=1.0, pose=Pose(0.0, 0.0, 0.0), width=width, score=1.0)


def painted(size: tuple[int, int], mesh: Floats, skin: tuple[int, int, int], seed: int = 0) -> Pixels:
    """A picture (height, width) of a head with this mesh: skin, lips, eyes and brows on a grey wall, with grain."""
    picture = np.full((*size, 3), (140, 150, 160), np.uint8)
    for triangle in shipped_topology().triangles.tolist():
        cv2.fillConvexPoly(picture, np.round(mesh[triangle, :2] * 16).astype(np.int32), skin, cv2.LINE_AA, 4)
    for loops, colour in (
        (BROWS, (30, 40, 50)),
        (EYES, (235, 235, 235)),
        ((OUTER_LIPS,), (70, 70, 180)),
        ((INNER_LIPS,), (30, 20, 60)),
    ):
        for loop in loops:
            cv2.fillPoly(picture, [np.round(mesh[list(loop), :2] * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    noise = np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
