"""Draws triangles as index pictures and evaluates one affine map a triangle over them.

Positions are in the unit of the picture they are drawn into; a pixel's centre is at its index plus one half.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats

Indices = NDArray[np.int32]
Level = TypeVar("Level", np.uint8, np.int16, np.float32)

THIN = 0.15  # a triangle with an area under this share of its longest edge squared (times two) is a sliver
TINY = 2.0  # likewise one with less than this doubled area, square pixels


def paint(points: Floats, triangles: Indices, order: Indices, size: tuple[int, int]) -> Indices:
    """Draw triangle numbers into int32 (height, width), later ones over earlier ones; -1 where nothing was drawn.

    `points` (n, 2) pixels, `triangles` int32 (t, 3), `order` the triangles' numbers in drawing order, back to front.
    """
    numbers = np.full(size, -1, np.int32)
    corners = np.round(points * 16).astype(np.int32)[triangles]  # 4 fractional bits, OpenCV's fixed point
    draw = cv2.fillConvexPoly
    for index in order.tolist():
        draw(numbers, corners[index], index, 8, 4)
    return numbers


def back_to_front(depth: Floats, triangles: Indices) -> Indices:
    """The order in which to draw triangles, farthest first; `depth` (n,) grows away from the camera."""
    return np.argsort(-depth[triangles].mean(axis=1), kind="stable").astype(np.int32)


def triangle_maps(points: Floats, values: Floats, triangles: Indices) -> Floats:
    """The affine map of each triangle from `points` (n, 2) to `values` (n, 2), float32 (t, 6).

    A row a b c d e f means u = a·x + b·y + c and v = d·x + e·y + f. Slivers, which occur where the surface folds, take
    the value of their middle: extrapolating across them tears the picture.
    """
    a, b, c = (points[triangles[:, k]] for k in range(3))
    p, q, r = (values[triangles[:, k]] for k in range(3))
    e1, e2, f1, f2 = b - a, c - a, q - p, r - p
    area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    longest = np.maximum((e1**2).sum(axis=1), (e2**2).sum(axis=1))
    thin = (np.abs(area) < THIN * longest) | (np.abs(area) < TINY)
    area = np.where(thin, 1, area)[:, None]
    by_x = np.where(thin[:, None], 0, (f1 * e2[:, 1:] - f2 * e1[:, 1:]) / area)
    by_y = np.where(thin[:, None], 0, (f2 * e1[:, :1] - f1 * e2[:, :1]) / area)
    at_zero = np.where(thin[:, None], (p + q + r) / 3, p - by_x * a[:, :1] - by_y * a[:, 1:])
    return np.stack([by_x, by_y, at_zero], axis=2).reshape(-1, 6).astype(np.float32)


def evaluate(numbers: Indices, maps: Floats, x: Floats, y: Floats, outside: float) -> Floats:
    """Evaluate the maps at the pixel positions `x` (width,) and `y` (height,): float32 (height, width, 2).

    `numbers` says which triangle's map holds where; pixels of no triangle get `outside`.
    """
    nothing = np.array([[0, 0, outside, 0, 0, outside]], np.float32)
    k = np.concatenate([maps, nothing])[numbers]  # number -1 picks the last row
    columns, rows = x[None, :], y[:, None]
    values = np.empty((*numbers.shape, 2), np.float32)
    values[..., 0] = k[..., 0] * columns + k[..., 1] * rows + k[..., 2]
    values[..., 1] = k[..., 3] * columns + k[..., 4] * rows + k[..., 5]
    return values


def texel_centres(side: int) -> Floats:
    """The positions of the texels of a picture with the given side, float32 (side,)."""
    return np.arange(side, dtype=np.float32) + np.float32(0.5)


def look_up(pixels: NDArray[Level], where: Floats, method: int = cv2.INTER_LINEAR) -> NDArray[Level]:
    """Sample a picture at positions (h, w, 2) in its own pixels, its border replicated."""
    return sample(pixels, where - np.float32(0.5), method)


def sample(pixels: NDArray[Level], where: Floats, method: int = cv2.INTER_LINEAR) -> NDArray[Level]:
    """Sample a picture at positions (h, w, 2) counted from pixel centres, its border replicated.

    Turning the positions into OpenCV's fixed point (1/32 pixel) first makes it more than twice as fast.
    """
    whole, part = cv2.convertMaps(where, None, cv2.CV_16SC2)
    sampled: NDArray[Level] = cv2.remap(pixels, whole, part, method, borderMode=cv2.BORDER_REPLICATE)
    return sampled
