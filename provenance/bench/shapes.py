"""Attacks that move pixels: scaling, cropping, turning, perspective. All take and give BGR uint8 (h, w, 3)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Attack = Callable[[Pixels], Pixels]


def scaled(across: float, down: float | None = None) -> Attack:
    """Scale the sides by these factors."""

    def attack(pixels: Pixels) -> Pixels:
        down_by = across if down is None else down
        kind = cv2.INTER_AREA if min(across, down_by) < 1 else cv2.INTER_CUBIC
        result: Pixels = cv2.resize(pixels, None, fx=across, fy=down_by, interpolation=kind)
        return result

    return attack


def rescaled(factor: float) -> Attack:
    """Scale as a viewer does, then back to the old size, as a screenshot of it would be."""

    def attack(pixels: Pixels) -> Pixels:
        small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        back: Pixels = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return back

    return attack


def cropped(share: float) -> Attack:
    """Cut this share off the width and the height, half of it at either end."""

    def attack(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        down, right = round(height * share / 2), round(width * share / 2)
        return np.ascontiguousarray(pixels[down : height - down, right : width - right])

    return attack


def cropped_at_corner(share: float) -> Attack:
    """Cut this share off the width and the height, all of it at the top and the left."""

    def attack(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        return np.ascontiguousarray(pixels[round(height * share) :, round(width * share) :])

    return attack


def turned(degrees: float) -> Attack:
    """Turn about the middle; the corners that come into view mirror the picture."""

    def attack(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        result: Pixels = cv2.warpAffine(
            pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        return result

    return attack


def quarter_turn(pixels: Pixels) -> Pixels:
    """Turn by 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels))


def mirrored(pixels: Pixels) -> Pixels:
    """Swap left and right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def perspective(pixels: Pixels) -> Pixels:
    """See the picture a little from the side: the right edge is 4 % shorter than the left."""
    height, width = pixels.shape[:2]
    before = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    after = np.array([[0, 0], [width, 0.02 * height], [width, 0.98 * height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(before, after)
    result: Pixels = cv2.warpPerspective(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return result
