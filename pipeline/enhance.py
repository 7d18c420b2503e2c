"""Gives a swapped region the sharpness and the grain of the picture around it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Face, Floats, Pixels, SwappedRegion

SHOWN = 0.5  # weight from which a pixel counts as the swapped face's
FEWEST_PIXELS = 200  # of the face, below which nothing is measured
TOLERANCE = 1.1  # the region may be this much sharper than the target before it is softened
WIDEST_BLUR = 1.6  # pixels
SHARPEST = 0.8  # largest unsharp amount
LEAST_GRAIN = 0.6  # grey levels; finer grain is not visible and not added
MOST_GRAIN = 12.0


class DetailEnhancer:
    """Matches detail and noise by measurement, without weights; implements `FaceEnhancer`.

    The same region and picture always give the same result: the grain's generator is seeded by the content.
    """

    name = "detail"
    digests: tuple[str, ...] = ()

    def enhance(self, region: SwappedRegion, pixels: Pixels, face: Face) -> SwappedRegion:
        """Return the region with detail and grain like the target's own in the same place."""
        del face  # its measures are not needed
        height, width = region.weight.shape
        target = np.ascontiguousarray(pixels[region.y : region.y + height, region.x : region.x + width])
        shown = region.weight > SHOWN
        if int(shown.sum()) < FEWEST_PIXELS:
            return region
        sharpened = _match_sharpness(region.pixels, target, shown)
        return replace(region, pixels=_match_grain(sharpened, target, shown))


def _match_sharpness(pixels: Pixels, target: Pixels, shown: NDArray[np.bool_]) -> Pixels:
    """Soften or crispen the drawn face until its fine detail is as strong as the target's was."""
    ours, theirs = _detail(pixels, shown), _detail(target, shown)
    if ours > theirs * TOLERANCE:
        sigma = min(WIDEST_BLUR, 0.45 * float(np.sqrt(ours / theirs)))
        softened: Pixels = cv2.GaussianBlur(pixels, (0, 0), sigma)
        return softened
    if theirs > ours * TOLERANCE:
        amount = min(SHARPEST, 0.5 * (theirs / ours - 1))
        blurred = cv2.GaussianBlur(pixels, (0, 0), 1.2)
        crisp: Pixels = cv2.addWeighted(pixels, 1 + amount, blurred, -amount, 0)
        return crisp
    return pixels


def _match_grain(pixels: Pixels, target: Pixels, shown: NDArray[np.bool_]) -> Pixels:
    """Add the noise that the target has and the drawn face lacks."""
    ours, theirs = _noise(pixels, shown), _noise(target, shown)
    missing = float(np.sqrt(max(0.0, theirs**2 - ours**2)))
    if missing < LEAST_GRAIN:
        return pixels
    grain = _grain(pixels, target) * np.float32(min(missing, MOST_GRAIN))
    return np.clip(np.round(pixels + grain[..., None]), 0, 255).astype(np.uint8)


def _grain(pixels: Pixels, target: Pixels) -> Floats:
    """Unit noise (h, w), a little soft as a camera's is, seeded by the content."""
    digest = sha256(pixels.tobytes() + target.tobytes()).digest()
    raw = np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(pixels.shape[:2], np.float32)
    soft = cv2.GaussianBlur(raw, (0, 0), 0.6)
    return np.asarray(soft / max(float(soft.std()), 1e-6), dtype=np.float32)


def _detail(pixels: Pixels, shown: NDArray[np.bool_]) -> float:
    """The mean strength of edges and pores inside the mask, grey levels."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_16S))[shown].mean()) + 0.1


def _noise(pixels: Pixels, shown: NDArray[np.bool_]) -> float:
    """The standard deviation of the noise, grey levels, out of the calmest quarter: texture is rare, noise is not."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    kernel = np.array(
        [[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32
    )  # blind to planes and straight edges (Immerkær 1996)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))[shown]
    return float(np.percentile(response, 25) / (0.3186 * 6))
