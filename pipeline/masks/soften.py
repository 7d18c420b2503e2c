"""Gives a model's rough mask a soft rim that lies inside it."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.faces import Floats

_SIGMA = 5.0  # px in the crop


def soften(mask: Floats, size: int) -> Floats:
    """Return a mask 0..1 of any size at (size, size): blurred, and 0 from where the rough one falls under a half."""
    whole = np.asarray(cv2.resize(np.clip(mask, 0, 1), (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    blurred = cv2.GaussianBlur(whole, (0, 0), _SIGMA)
    return np.asarray((np.clip(blurred, 0.5, 1) - 0.5) * 2, np.float32)
