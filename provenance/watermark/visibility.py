"""How much change each place of a picture hides: the just noticeable difference, edge by edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Root mean square, in grey levels, that nobody sees on a flat mid-grey place at this mark's frequencies, …
FLAT_DIFFERENCE = 0.64
# … its growth with the local deviation (SSIM stays above .985 where it is below about .25 of a 7 x 7 window's
# deviation, which is some three times that of a 3 x 3 window's minimum), and where masking saturates.
# All were chosen by eye on walls, sky, skin, hair and fabric at 200 %.
GROWTH = 0.75
MOST_DIFFERENCE = 4.0
# Deviation is taken over the smallest window that has one, so that an edge spreads one pixel only, …
WINDOW = 3
# … and the least of all windows this near counts: a flat place beside an edge, or between two, stays flat.
EDGE_REACH = 7
# Smoothing after that reaches less far than the minimum did, so nothing creeps back over the edge.
SMOOTHING = 5
# Deep shadows and highlights show changes that mid greys hide: the share that is left at these grey levels.
LEVELS = (0, 16, 70, 180, 225, 255)
SHARES = (0.3, 0.4, 1.0, 1.0, 0.6, 0.4)

_SHARE = np.interp(np.arange(256), LEVELS, SHARES).astype(np.float32)


def perceptual_mask(scaled: Floats) -> Floats:
    """Return the just noticeable difference float32 (h, w), in grey levels, for canonical luma 0..255."""
    window = (WINDOW, WINDOW)
    mean = cv2.blur(scaled, window)
    variance = cv2.sqrBoxFilter(scaled, cv2.CV_32F, window) - mean * mean
    variance = cv2.erode(variance, np.ones((EDGE_REACH, EDGE_REACH), np.uint8))
    # The running sums inside the box filters round, and a variance may come out a little below zero.
    variance = np.maximum(cv2.blur(variance, (SMOOTHING, SMOOTHING)), 0.0)
    difference = np.sqrt(FLAT_DIFFERENCE**2 + GROWTH**2 * variance)
    shares = _SHARE[np.clip(mean, 0.0, 255.0).astype(np.uint8)]
    mask: Floats = np.minimum(difference, MOST_DIFFERENCE) * shares
    return mask
