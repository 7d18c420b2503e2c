"""The fixed masks of the flat layout: where the source is pasted, and where colour and skin are measured."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels
from pipeline.mesh.indices import BROWS, EYES, INNER_LIPS, OUTER_LIPS, OVAL
from pipeline.mesh.raster import texel_centres
from pipeline.mesh.settings import MeshSettings
from pipeline.mesh.topology import Topology


@dataclass(frozen=True)
class Masks:
    """All are pictures of the flat layout.

    `paste` float32 (mask side)² 0..1: where the source may show, the eyes' inside never; `mouth` likewise
    what lies between the lips, where it shows only while they are closed.
    The others are (small side)²: `rim` float32 1 at the face's edge, 0 well inside; `skin` float32 0/1 the skin without
    eyes, brows and lips, `calm` the same without a rim and softer; `core` bool the cheeks and the nose, which are
    nearly always bare; `inside` bool the oval; `zone` float32 0..1 where hair, hats and rims are looked for; `sides`
    float32 0..1 the skin that is not near the midline; `features` float32 0/1 the outer parts of eyes and brows;
    `eyes` float32 0..1 what lies between the lids, `eyes_brows` the brows as well.
    """

    paste: Floats
    rim: Floats
    skin: Floats
    calm: Floats
    core: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    zone: Floats
    sides: Floats
    features: Floats
    eyes: Floats
    eyes_brows: Floats
    mouth: Floats

    @classmethod
    def build(cls, topology: Topology, settings: MeshSettings) -> Masks:
        """Draw the masks for a topology."""
        side = settings.small_side
        across = np.abs(texel_centres(side) / side - 0.5)[None]
        down = (texel_centres(side) / side)[:, None]
        inside = _distance_inside(topology, settings)
        rim = 1 - _smoothstep(inside / settings.rim_width)
        skin = _bare_skin(topology, side)
        skin_around = 1 - _grown(topology.fill((*EYES, OUTER_LIPS, *BROWS), side), 3) / np.float32(255)
        features = _grown(topology.fill((*EYES, *BROWS), side), 5) > 0
        zone = np.maximum(np.clip((0.40 - down) / 0.05, 0, 1), np.clip((across - 0.20) / 0.06, 0, 1))
        zone[features] = 0
        return cls(
            paste=_paste(topology, settings, inside),
            rim=cv2.resize(rim, (side, side), interpolation=cv2.INTER_LINEAR),
            skin=skin,
            calm=cv2.GaussianBlur(skin_around, (0, 0), 1.5),
            core=(skin > 0.5) & (across < 0.20) & (down > 0.36) & (down < 0.76),
            inside=topology.fill([OVAL], side) > 127,
            zone=cv2.GaussianBlur(zone.astype(np.float32), (0, 0), 1.2),
            sides=cv2.GaussianBlur((skin * (across > 0.12)).astype(np.float32), (0, 0), 1.2),
            features=(features & (across > 0.12)).astype(np.float32),
            eyes=np.asarray(topology.fill(EYES, side) / np.float32(255), np.float32),
            eyes_brows=np.asarray(topology.fill((*EYES, *BROWS), side) / np.float32(255), np.float32),
            mouth=_soft_hole(topology.fill([INNER_LIPS], settings.mask_side)),
        )


def _smoothstep(x: Floats) -> Floats:
    clipped = np.clip(x, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), dtype=np.float32)


def _distance_inside(topology: Topology, settings: MeshSettings) -> Floats:
    """Distance from the edge of what is pasted, positive inside, layout units."""
    side = settings.mask_side
    oval = (topology.fill([OVAL], side) > 127).astype(np.uint8)
    distance = cv2.distanceTransform(oval, cv2.DIST_L2, 5) / np.float32(side)
    from_middle = np.abs(texel_centres(side) / side - 0.5)[None]
    inside = np.minimum(distance, settings.reach + settings.inset - from_middle)
    return np.asarray(inside, dtype=np.float32)


def _paste(topology: Topology, settings: MeshSettings, inside: Floats) -> Floats:
    side, shrink = settings.mask_side, np.ones((settings.eye_shrink, settings.eye_shrink), np.uint8)
    soft = _soft_hole(cv2.erode(topology.fill(EYES, side), shrink))
    shown = _smoothstep((inside - settings.inset) / settings.feather) * (1 - soft)
    return np.asarray(shown, dtype=np.float32)


def _soft_hole(hole: Pixels) -> Floats:
    soft: Floats = cv2.GaussianBlur(hole, (0, 0), 1.2) / np.float32(255)
    return soft


def _bare_skin(topology: Topology, side: int) -> Floats:
    skin = cv2.erode(topology.fill([OVAL], side), np.ones((5, 5), np.uint8))
    skin[_grown(topology.fill((*EYES, OUTER_LIPS, *BROWS), side), 3) > 0] = 0
    return np.asarray(skin / np.float32(255), dtype=np.float32)


def _grown(mask: Pixels, size: int) -> Pixels:
    grown: Pixels = cv2.dilate(mask, np.ones((size, size), np.uint8))
    return grown
