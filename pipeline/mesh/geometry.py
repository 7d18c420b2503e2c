"""Head pose by weighted Procrustes, and the mesh that is drawn: the target's, moved toward the source's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats
from pipeline.mesh.indices import LOWER_LIP, OVAL, UPPER_LIP
from pipeline.mesh.settings import MeshSettings
from pipeline.mesh.topology import RING_REACH, Topology

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Similarity:
    """picture = scale · rotation · model + offset; the picture in pixels, the model in centimetres."""

    rotation: Floats
    scale: float
    offset: Floats

    def to_picture(self, model: Array) -> Floats:
        """Move points (n, 3) from the model's frame to the picture's."""
        return (self.scale * model @ self.rotation.T + self.offset).astype(np.float32)

    def to_model(self, picture: Array) -> Floats:
        """Move points (n, 3) from the picture's frame to the model's."""
        return ((picture - self.offset) @ self.rotation / self.scale).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Placement:
    """A target mesh before and after the source's shape was taken over, ring included: float32 (504, 3) pixels."""

    pose: Similarity
    before: Floats
    after: Floats


def fit_similarity(model: Array, picture: Array, weights: Array) -> Similarity:
    """Fit the rotation, scale and offset that take `model` (n, 3) to `picture` (n, 3), in weighted least squares."""
    share = weights / weights.sum()
    model_middle, picture_middle = share @ model, share @ picture
    a, b = model - model_middle, picture - picture_middle
    u, singular, vt = np.linalg.svd((b * share[:, None]).T @ a)
    handed = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * handed) @ vt
    scale = float((singular * handed).sum() / (share @ (a**2).sum(axis=1)))
    offset = picture_middle - scale * rotation @ model_middle
    return Similarity(rotation.astype(np.float32), scale, offset.astype(np.float32))


def drawn_meshes(mesh: Floats, source_shape: Floats, topology: Topology, settings: MeshSettings) -> Placement:
    """Lay the mesh that is drawn: the target's pose and expression with a share of the source's shape.

    `mesh` (468, 3) pixels is the target's, `source_shape` (468, 3) centimetres in the model's frame.
    """
    pose = fit_similarity(topology.shape, mesh, topology.stiffness)
    difference = identity_difference(source_shape, pose.to_model(mesh), topology)
    moved = mesh + pose.scale * (_shares(pose, topology, settings) * difference) @ pose.rotation.T
    middle = mesh[list(OVAL)].mean(axis=0)
    ring = middle + (mesh[list(OVAL)] - middle) * np.float32(RING_REACH)
    before, after = np.concatenate([mesh, ring]), np.concatenate([moved, ring])
    return Placement(pose, before.astype(np.float32), after.astype(np.float32))


def identity_difference(source: Floats, target: Floats, topology: Topology) -> Floats:
    """What to add to the target's shape so that it becomes the source's, less what is expression: float32 (468, 3).

    Both are (468, 3) centimetres in the model's frame. Identity is symmetric, expression less so. Each eye and the
    mouth move and grow as a whole, and a jaw that one of the two has dropped is closed first.
    """
    source = source - topology.jaw * (lips_apart(source) - lips_apart(target))
    difference = source - target
    difference = (difference + difference[topology.mirror] * np.array([-1, 1, 1], np.float32)) / 2
    plain = difference.copy()
    for feature in topology.features:
        loop = list(feature.loop)
        ours, theirs = target[loop], target[loop] + plain[loop]
        width = float(np.ptp(theirs[:, 0])) / max(float(np.ptp(ours[:, 0])), 1e-3)
        growth = feature.growth * float(np.clip(width - 1, -0.25, 0.25))
        whole = (theirs - ours).mean(axis=0) + growth * (target - ours.mean(axis=0))
        difference = difference + (whole - difference) * feature.reach
    return np.asarray(difference, dtype=np.float32)


def lips_apart(shape: Floats) -> float:
    """How far the lips are apart, centimetres."""
    return float(shape[LOWER_LIP, 1] - shape[UPPER_LIP, 1])


def _shares(pose: Similarity, topology: Topology, settings: MeshSettings) -> Floats:
    """How much of the source's shape each vertex takes, float32 (468, 1)."""
    inner = np.clip(topology.from_oval / settings.outline_fade, 0, 1)
    share = settings.outline_share + (settings.shape_share - settings.outline_share) * inner
    facing = np.clip((abs(float(pose.rotation[2, 2])) - 0.65) / 0.2, 0, 1)  # a turned head keeps its own profile
    return np.asarray(share * facing, dtype=np.float32)[:, None]


def facing_camera(mesh: Floats, topology: Topology) -> Floats:
    """The cosine between each vertex's normal and the view, float32 (468,), 1 where the surface faces the camera."""
    a, b, c = (mesh[topology.triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(mesh)
    for k in range(3):
        np.add.at(normals, topology.triangles[:, k], faces)
    cosine = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-6)
    return np.asarray(cosine * np.sign(cosine.mean() or 1.0), dtype=np.float32)
