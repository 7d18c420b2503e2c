"""Areas of the face by its landmarks, without a model: the upper or the lower face, the mouth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.align import AlignedCrop
from pipeline.faces import Face, Floats
from pipeline.masks.soften import soften
from pipeline.mesh.indices import OUTER_LIPS
from pipeline.mesh.topology import shipped_topology
from pipeline.warp import apply

_NOSE_BASE = 2  # the mesh vertex that parts the upper face from the lower

AREAS: Final = ("upper-face", "lower-face", "mouth")
"""The areas that can be changed."""


class AreaMask:
    """Lets only some areas of the face be changed."""

    name = "area"
    digests: tuple[str, ...] = ()

    def __init__(self, areas: Sequence[str] = AREAS) -> None:
        unknown = [area for area in areas if area not in AREAS]
        if unknown or not areas:
            raise ValueError(f"unknown areas {unknown}; known are {', '.join(AREAS)}")
        self._areas = tuple(areas)

    def weigh(self, crop: AlignedCrop, face: Face) -> Floats:
        """Return how much of the swap may show, float32 (s, s) 0..1, over the aligned crop."""
        size = crop.pixels.shape[0]
        places = apply(crop.affine, face.mesh[:, :2])
        mask = np.zeros((size, size), np.uint8)
        for area in self._areas:
            outline = cv2.convexHull(places[_vertices()[area]])
            cv2.fillConvexPoly(mask, np.round((outline - 0.5) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
        return soften(mask.astype(np.float32) * np.float32(1 / 255), size)


@lru_cache(maxsize=1)
def _vertices() -> Mapping[str, NDArray[np.intp]]:
    """The mesh vertices whose hull is the area."""
    down = shipped_topology().shape[:, 1]
    return MappingProxyType(
        {
            "upper-face": np.flatnonzero(down <= down[_NOSE_BASE]),
            "lower-face": np.flatnonzero(down >= down[_NOSE_BASE]),
            "mouth": np.array(OUTER_LIPS, np.intp),
        }
    )
