"""Tells a face's own skin from what lies over it (hair, a hat, a rim), out of the face's own colours."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.faces import Floats
from pipeline.mesh.masks import Masks

# Spread of skin in Lab (L 0..100, a, b): at least sensor noise and pores, at most what shading does to one face.
NARROWEST = np.array([7, 3.0, 3.5], np.float32)
WIDEST = np.array([15, 4.5, 5], np.float32)
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


def _soft(mask: Floats) -> Floats:
    blurred: Floats = cv2.GaussianBlur(mask, (0, 0), 1.0)
    return blurred
