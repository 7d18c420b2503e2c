"""Attacks that change values in place: light, noise, filters, overlays. All take and give BGR uint8 (h, w, 3)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Attack = Callable[[Pixels], Pixels]


def brightness(factor: float) -> Attack:
    """Multiply every value."""
    return lambda pixels: cv2.convertScaleAbs(pixels, alpha=factor)


def contrast(factor: float) -> Attack:
    """Stretch values about the middle grey."""
    table = np.clip(np.rint((np.arange(256) - 127.5) * factor + 127.5), 0, 255).astype(np.uint8)
    return lambda pixels: cv2.LUT(pixels, table)


def gamma(exponent: float) -> Attack:
    """Raise values in 0..1 to a power."""
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda pixels: cv2.LUT(pixels, table)


def noise(deviation: float) -> Attack:
    """Add the same Gaussian noise, independent in each channel, to every picture of one size."""

    def attack(pixels: Pixels) -> Pixels:
        added = np.random.default_rng(0).normal(0, deviation, pixels.shape)
        return np.clip(np.rint(pixels + added), 0, 255).astype(np.uint8)

    return attack


def blur(deviation: float) -> Attack:
    """Smooth by a Gaussian."""
    return lambda pixels: cv2.GaussianBlur(pixels, (0, 0), deviation)


def median(side: int) -> Attack:
    """Replace each value by the median around it."""
    return lambda pixels: cv2.medianBlur(pixels, side)


def denoised(pixels: Pixels) -> Pixels:
    """Remove noise by non-local means, as somebody might who wants to remove the mark."""
    result: Pixels = cv2.fastNlMeansDenoisingColored(pixels, None, 3, 3, 5, 15)
    return result


def grey(pixels: Pixels) -> Pixels:
    """Take the colour away."""
    result: Pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return result


def captioned(pixels: Pixels) -> Pixels:
    """Write three lines of large text over the picture."""
    result, height = pixels.copy(), pixels.shape[0]
    for line in range(3):
        place = (round(0.03 * pixels.shape[1]), round(height * (0.25 + 0.3 * line)))
        cv2.putText(result, "SEEN ELSEWHERE", place, cv2.FONT_HERSHEY_SIMPLEX, height / 300, (255, 255, 255), 3)
    return result


def covered(pixels: Pixels) -> Pixels:
    """Lay a patterned picture over the right third, as in a collage."""
    result, width = pixels.copy(), pixels.shape[1]
    left = width - width // 3
    down, right = np.mgrid[: pixels.shape[0], : width - left]
    result[:, left:] = np.where((down // 23 + right // 17) % 2, 190, 70)[..., None].astype(np.uint8)
    return result


def photographed(pixels: Pixels) -> Pixels:
    """Look at a screen through a camera: a lens' blur, uneven light, the screen's grid, noise, gamma."""
    height, width = pixels.shape[:2]
    seen = cv2.GaussianBlur(pixels, (0, 0), 0.8).astype(np.float32)
    down, right = np.mgrid[:height, :width].astype(np.float32)
    light = 1.0 - 0.25 * ((right / width - 0.4) ** 2 + (down / height - 0.5) ** 2)
    grid = 1.0 + 0.02 * np.sin(2.1 * right) + 0.02 * np.sin(2.3 * down)
    seen *= (light * grid)[..., None]
    seen += np.random.default_rng(1).normal(0, 4, seen.shape).astype(np.float32)
    return gamma(1.1)(np.clip(seen, 0, 255).astype(np.uint8))
