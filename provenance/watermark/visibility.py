"""How much change each place of a picture hides: the perceptual mask of the mark."""

from __future__ import annotations

import cv2
import numpy as np

from provenance.watermark.canonical import Floats

# A flat place takes this much of the unit residual, the busiest place the cap; between them it grows with the
# local deviation. Chosen by eye on skin, sky and fabric, together with the strength in `embedding`.
MASK_FLOOR = 0.2
MASK_CAP = 2.6
DEVIATION_FOR_ONE = 11.0
DEVIATION_CAP = 40.0
SMOOTHING_SIGMA = 2.5
HALO_SIDE = 9


def perceptual_mask(scaled: Floats, gain: Floats) -> Floats:
    """Return float32 weights (h, w), about 0.2..2.6, for canonical luma and its gain (1/deviation)."""
    # The deviation is measured over a box, so an edge spreads beyond itself: without the erosion the mark would show
    # as a grainy halo in smooth places beside hair and outlines.
    deviation = cv2.erode(np.minimum(1.0 / gain, DEVIATION_CAP), np.ones((HALO_SIDE, HALO_SIDE), np.uint8))
    activity = cv2.GaussianBlur(deviation, (0, 0), SMOOTHING_SIGMA)
    # The eye sees less in bright places (Weber's law), and this keeps the shadows of dark pictures clean.
    brightness = np.clip(cv2.blur(scaled, (9, 9)) / 128.0, 0.3, 1.3)
    mask: Floats = np.clip(MASK_FLOOR + activity / DEVIATION_FOR_ONE, 0.0, MASK_CAP) * (0.75 + 0.25 * brightness)
    return mask
