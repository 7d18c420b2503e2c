"""Tells a face's own skin from what lies over it (hair, a hat, a rim), out of the face's own colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels
from pipeline.mesh.colour import masked_blur
from pipeline.mesh.masks import Masks

# Spread of skin in Lab (L 0..100, a, b): at least sensor noise and pores, at most what shading does to one face.
NARROWEST = np.array([7, 3.0, 3.5], np.float32)
WIDEST = np.array([15, 4.5, 5], np.float32)
# What growing skin may change by from one neighbourhood (of this reach, layout units) to the next: Lab, and busyness.
STEP = np.array([16, 7, 9], np.float32)
REACH, BUSY, MOST_STEPS = 0.06, 7.0, 60
# Frames of glasses: as wide as this at most; where the bridge and the lenses lie, layout units; how much darker than
# the skin's lightness the bridge is (.51 in dark glasses, .26 at most in 33 bare faces) and the rims.
FRAME = 0.09
BRIDGE, BRIDGE_ROWS, LENSES, WITHIN = (0.46, 0.55), (0.31, 0.46), (0.22, 0.55), (0.06, 0.94)
NOSE, BELOW_BRIDGE = (0.38, 0.62), (0.46, 0.60)
BRIDGE_DARK, FRAME_DARK = 0.36, 0.16
# Distances, in spreads, at which a texel is still surely skin and at which it surely is not.
SURE, FOREIGN = 2.6, 4.2


def skin_likelihood(face: Floats, masks: Masks, suspect: Floats | None = None) -> Floats:
    """How much each texel is skin like the middle of the same face: float32 (n, n) in 0..1.

    `face` is float32 (n, n, 3) BGR 0..255 in the flat layout. Only where the masks say that foreign things occur can
    the answer fall below one, and where `suspect` (n, n) 0..1 says so: brows, lips and the middle of the face always
    count as the face's own.
    """
    zone = masks.zone if suspect is None else np.maximum(masks.zone, suspect * masks.sides)
    lab = cv2.cvtColor(face / np.float32(255), cv2.COLOR_BGR2LAB)
    bare = lab[masks.core]
    middle = np.median(bare, axis=0)
    spread = np.float32(1.48) * np.median(np.abs(bare - middle), axis=0)
    spread = np.clip(spread * np.array([1.2, 1, 1], np.float32), NARROWEST, WIDEST)
    offset = (lab - middle) / spread
    distance = np.sqrt((offset**2).sum(axis=2))
    likely = np.clip((FOREIGN - distance) / (FOREIGN - SURE), 0, 1)
    likely = _soft(cv2.erode(likely, np.ones((3, 3), np.uint8)))
    fair_hair = _soft(cv2.dilate(np.clip(offset[..., 2] / 1.5 - 1.8, 0, 1), np.ones((3, 3), np.uint8)))
    over_brows = fair_hair * (zone < 0.5) * masks.features  # much yellower than skin, even across a brow
    return np.asarray(np.clip(1 - zone * (1 - likely) - over_brows, 0, 1), dtype=np.float32)


def grown_skin(face: Floats, masks: Masks) -> Floats:
    """The skin that is connected with the cheeks without a jump of colour: float32 (n, n) in 0..1.

    Slower and stricter than `skin_likelihood`, for photos that a texture is made of. It follows light that changes
    gradually and stops at the first lock of hair, however much that looks like skin farther down. Eyes, brows and lips
    count as skin; `face` as there.
    """
    lab = cv2.cvtColor(face / np.float32(255), cv2.COLOR_BGR2LAB)
    features = (cv2.erode(masks.inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & (masks.skin < 0.5)
    grown = masks.core & _steady(lab, masks.core)
    busy = _busyness(lab[..., 0])
    step = np.ones((3, 3), np.uint8)
    for _ in range(MOST_STEPS):
        near = masked_blur(lab, (grown & ~features).astype(np.float32), REACH * face.shape[0])
        offset = (lab - near) / STEP
        calm = ((offset**2).sum(axis=2) < 1) & (busy < BUSY)
        reached = (cv2.dilate(grown.astype(np.uint8), step) > 0) & masks.inside & (calm | features)
        if (reached == grown).all():
            break
        grown = reached
    hair = _from_outside(masks.inside & ~grown & (masks.zone > 0.5), masks)
    hair = cv2.dilate(hair, np.ones((5, 5), np.uint8)) * (masks.features < 0.5)
    return _soft(np.asarray(1 - hair, np.float32))


def glasses(face: Floats, masks: Masks, spared: Floats) -> Floats:
    """Where dark frames of glasses lie: float32 (n, n) in 0..1, all 0 without any; `face` as for `skin_likelihood`.

    `spared` float32 (n, n) 0..1 counts as no frame, however dark: the eyes, and the brows that are to be kept.

    Frames are told from wrinkles by the bridge, a dark line right across the nose; frames without one, or as pale as
    the skin, are not found.
    """
    light = cv2.cvtColor(face / np.float32(255), cv2.COLOR_BGR2LAB)[..., 0]
    side = light.shape[0]
    width = round(FRAME * side) | 1
    hollow = cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, np.ones((width, width), np.uint8))
    hollow = hollow / max(float(np.median(light[masks.core])), 1.0)
    columns, rows = _span(BRIDGE, side), _span(BRIDGE_ROWS, side)
    bridge = float(hollow[rows, columns].max(axis=0).min())
    found = np.zeros_like(light)
    if bridge > BRIDGE_DARK:
        around = (_span(LENSES, side), _span(WITHIN, side))
        found[around] = hollow[around] > FRAME_DARK
        found[_span(BELOW_BRIDGE, side), _span(NOSE, side)] = 0
        found = cv2.dilate(found, np.ones((3, 3), np.uint8)) * (1 - spared)
    return _soft(np.asarray(found, np.float32))


def _span(ends: tuple[float, float], side: int) -> slice:
    return slice(round(ends[0] * side), round(ends[1] * side))


def _from_outside(foreign: NDArray[np.bool_], masks: Masks) -> Pixels:
    """Those foreign patches that reach the face's edge, uint8 0/1: hair does, a wrinkle or a mole does not."""
    _, labels = cv2.connectedComponents(foreign.astype(np.uint8), connectivity=4)
    edge = masks.inside & (cv2.erode(masks.inside.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    reaching = np.unique(labels[edge & foreign])
    return np.isin(labels, reaching[reaching > 0]).astype(np.uint8)


def _steady(lab: Floats, core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the middle of the face is near its own median colour: glasses and strands over it start no growth."""
    offset = (lab - np.median(lab[core], axis=0)) / (2 * STEP)
    return np.asarray((offset**2).sum(axis=2) < 1, dtype=np.bool_)


def _busyness(light: Floats) -> Floats:
    """The spread of lightness in the neighbourhood: hair has strands."""
    mean, square = cv2.blur(light, (3, 3)), cv2.blur(light**2, (3, 3))
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)), np.float32)


def _soft(mask: Floats) -> Floats:
    blurred: Floats = cv2.GaussianBlur(mask, (0, 0), 1.0)
    return blurred
