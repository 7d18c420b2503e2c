"""The fixed mesh topology: mean shape, flat layout, triangles, mirror map and stiffness, with what follows from them.

The shipped table comes out of `pipeline.mesh.derive_topology`; every vertex is one of the landmark model's 468.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import as_file, files

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels
from pipeline.mesh.indices import EYES, LOWER_LIP, OUTER_LIPS, OVAL, UPPER_LIP, VERTICES
from pipeline.mesh.raster import paint

Indices = NDArray[np.int32]

RING_REACH = 1.3  # how far the surrounding ring lies from the face's middle, in oval radii
RING_UV_REACH = 1.35  # the same in the flat layout: outside every mask


@dataclass(frozen=True, eq=False)
class Feature:
    """A part of the face that bends with expression: identity only moves it and scales it by a share `growth`.

    `loop` is its outline, `reach` float32 (468, 1) 0..1 how much each vertex goes with it.
    """

    loop: Sequence[int]
    growth: float
    reach: Floats


@dataclass(frozen=True, eq=False)
class Topology:
    """One way to cut a face into triangles.

    `shape` float32 (468, 3) centimetres, x right, y down, z away, mirror plane x = 0, ears 15.33 cm apart;
    `uv` float32 (468, 2) the flat layout in 0..1, v down; `triangles` int32 (898, 3); `mirror` int32 (468,);
    `stiffness` float32 (468,) sums to 1, larger where a face moves less between expressions.
    """

    shape: Floats
    uv: Floats
    triangles: Indices
    mirror: Indices
    stiffness: Floats

    @cached_property
    def ring_triangles(self) -> Indices:
        """Triangles int32 (72, 3) between the oval and a ring of 36 more vertices (468..503) around it.

        Over them the target's surroundings follow a changed outline.
        """
        count = len(OVAL)
        here, there = np.arange(count), (np.arange(count) + 1) % count
        oval = np.array(OVAL)
        inner = np.stack([oval[here], oval[there], VERTICES + here], axis=1)
        outer = np.stack([oval[there], VERTICES + there, VERTICES + here], axis=1)
        return np.concatenate([inner, outer]).astype(np.int32)

    @cached_property
    def drawn(self) -> Indices:
        """All triangles that are drawn: the ring first, then the face."""
        return np.concatenate([self.ring_triangles, self.triangles])

    @cached_property
    def drawn_uv(self) -> Floats:
        """The layout of the drawn vertices, float32 (504, 2)."""
        middle = np.array([0.5, 0.5], np.float32)
        ring = middle + (self.uv[list(OVAL)] - middle) * RING_UV_REACH
        return np.concatenate([self.uv, ring]).astype(np.float32)

    @cached_property
    def from_oval(self) -> Floats:
        """Distance of each vertex from the nearest oval vertex, float32 (468,), layout units."""
        gaps = np.linalg.norm(self.uv[:, None] - self.uv[list(OVAL)][None], axis=2)
        return np.asarray(gaps.min(axis=1), dtype=np.float32)

    @cached_property
    def smooth(self) -> Floats:
        """An averaging operator, float32 (468, 468): a vertex becomes the mean of itself and its neighbours."""
        adjacent = np.eye(VERTICES, dtype=np.float32)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            adjacent[self.triangles[:, a], self.triangles[:, b]] = 1
            adjacent[self.triangles[:, b], self.triangles[:, a]] = 1
        return np.asarray(adjacent / adjacent.sum(axis=1, keepdims=True), dtype=np.float32)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The mouth and the eyes, which identity moves and scales and only expression bends."""
        mouth = Feature(OUTER_LIPS, 0.5, self._around(OUTER_LIPS, 0.02, 0.10))
        return (mouth, *(Feature(eye, 1.0, self._around(eye, 0.015, 0.05)) for eye in EYES))

    @cached_property
    def jaw(self) -> Floats:
        """How a jaw that drops by one moves each vertex down, float32 (468, 3): all of it at the chin."""
        down, across = self.uv[:, 1], np.abs(self.uv[:, 0] - 0.5)
        upper, lower = self.uv[UPPER_LIP, 1], self.uv[LOWER_LIP, 1]
        share = np.clip((down - upper) / max(float(lower - upper), 1e-3), 0, 1) * np.clip((0.45 - across) / 0.2, 0, 1)
        return np.asarray(share[:, None] * np.array([0, 1, 0]), dtype=np.float32)

    def _around(self, loop: Sequence[int], whole: float, none: float) -> Floats:
        """1 within `whole` of a loop's area, 0 beyond `none`, layout units: float32 (468, 1)."""
        outline = np.ascontiguousarray(self.uv[list(loop)])
        outside = [-cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in self.uv]
        near = np.clip((none - np.array(outside, np.float32)) / (none - whole), 0, 1)
        return np.asarray((near * near * (3 - 2 * near))[:, None], dtype=np.float32)

    def texels(self, side: int) -> Indices:
        """Which triangle lies under each texel of a `side` x `side` picture of the layout; -1 where none does."""
        return _texels(self, side)

    def fill(self, loops: Iterable[Sequence[int]], side: int) -> Pixels:
        """A `side` x `side` uint8 mask of the layout, 255 inside the given vertex loops, antialiased."""
        mask = np.zeros((side, side), np.uint8)
        for loop in loops:
            outline = np.round(self.uv[list(loop)] * side * 16).astype(np.int32)
            cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, 4)
        return mask


@lru_cache(maxsize=8)
def _texels(topology: Topology, side: int) -> Indices:
    order = np.arange(len(topology.triangles), dtype=np.int32)
    return paint(topology.uv * side, topology.triangles, order, (side, side))


@lru_cache(maxsize=1)
def shipped_topology() -> Topology:
    """Return the topology that ships with the package; loaded once."""
    with as_file(files("pipeline.mesh") / "topology.npz") as path, np.load(path, allow_pickle=False) as table:
        return Topology(
            shape=table["shape"].astype(np.float32),
            uv=table["uv"].astype(np.float32),
            triangles=table["triangles"].astype(np.int32),
            mirror=table["mirror"].astype(np.int32),
            stiffness=table["stiffness"].astype(np.float32),
        )
