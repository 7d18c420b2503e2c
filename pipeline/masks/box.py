"""The soft rectangle in which an aligned crop shows."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from pipeline.align import AlignedCrop
from pipeline.faces import Face, Floats

Padding = tuple[float, float, float, float]
_NO_PADDING: Padding = (0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=32)
def box_mask(size: int, *, blur: float = 0.3, padding: Padding = _NO_PADDING) -> Floats:
    """Return a rectangle with a soft border, float32 (size, size) 0..1, read-only.

    `blur` 0..1 is how far the border reaches in, as a share of half the side; `padding` is what is left out at the
    top, right, bottom and left, as a share of the side.
    """
    reach = size * 0.5 * blur
    hard = max(math.ceil(reach / 2), 1)
    top, right, bottom, left = (max(hard, int(size * share)) for share in padding)
    mask = np.zeros((size, size), np.float32)
    mask[top : size - bottom, left : size - right] = 1
    if reach >= 1:
        # Beyond the crop there is nothing: the border must not be mirrored into it.
        blurred = cv2.GaussianBlur(mask, (0, 0), reach / 4, borderType=cv2.BORDER_CONSTANT)
        mask = np.asarray(blurred, np.float32)
    mask.setflags(write=False)
    return mask


class BoxMask:
    """Lets only a rectangle of the aligned face be changed; no model."""

    name = "box"
    digests: tuple[str, ...] = ()

    def __init__(self, *, blur: float = 0.3, padding: Padding = _NO_PADDING) -> None:
        self._blur, self._padding = blur, padding

    def weigh(self, crop: AlignedCrop, face: Face) -> Floats:
        """Return how much of the swap may show, float32 (s, s) 0..1, over the aligned crop."""
        del face
        return box_mask(crop.pixels.shape[0], blur=self._blur, padding=self._padding)
