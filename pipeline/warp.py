"""Takes a square, turned crop out of a picture without aliasing: what every face model is fed with."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels

Affine = NDArray[np.float64]
"""float64 (2, 3), maps picture pixels to crop pixels."""


def square(centre: NDArray[np.floating[Any]], side: float, roll: float, size: int) -> Affine:
    """Return the map onto `size` px of a square about `centre` (x, y), `side` px wide, turned by `roll`."""
    scale = size / side
    c, s = np.cos(roll) * scale, np.sin(roll) * scale
    rotation = np.array([[c, s], [-s, c]], np.float64)
    shift = size / 2 - rotation @ np.asarray(centre, np.float64)
    return np.concatenate([rotation, shift[:, None]], axis=1)


def crop(pixels: Pixels, affine: Affine, size: int) -> Pixels:
    """Return the (size, size, 3) crop. Outside the picture its edge goes on.

    Where the crop shrinks the picture, the part it shows is first reduced by averaging areas, so that no
    detail turns into a false pattern. As in `pipeline.faces`, (0, 0) is the first pixel's corner.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 0.5:
        pixels, affine = _reduced(pixels, affine, size, scale)
    # OpenCV counts from pixel centres, the maps here from pixel corners.
    inner = affine.copy()
    inner[:, 2] += affine[:, :2].sum(axis=1) / 2 - 0.5
    warped = cv2.warpAffine(pixels, inner, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def apply(affine: Affine, points: Floats) -> Floats:
    """Map (n, 2) points by the affine map."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)


def invert(affine: Affine) -> Affine:
    """Return the map from crop pixels back to picture pixels."""
    inverse = np.linalg.inv(affine[:, :2])
    return np.concatenate([inverse, -(inverse @ affine[:, 2])[:, None]], axis=1)


def _reduced(pixels: Pixels, affine: Affine, size: int, scale: float) -> tuple[Pixels, Affine]:
    """Cut out what the crop shows, reduced to about the crop's own resolution."""
    height, width = pixels.shape[:2]
    corners = apply(invert(affine), np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32))
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = pixels[top : max(top + 1, min(bottom, height)), left : max(left + 1, min(right, width))]
    shape = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = np.array([part.shape[1] / shape[0], part.shape[0] / shape[1]])
    moved = affine.copy()
    moved[:, 2] += affine[:, :2] @ np.array([left, top], np.float64)
    moved[:, :2] = affine[:, :2] * ratio
    return small, moved


def to_input(crops: list[Pixels], scale: float, offset: float = 0.0) -> Floats:
    """Stack BGR crops as a model's RGB input, float32 (N, 3, size, size): value * scale + offset."""
    stacked = np.stack(crops)[..., ::-1].transpose(0, 3, 1, 2)
    return np.ascontiguousarray(stacked, np.float32) * np.float32(scale) + np.float32(offset)
