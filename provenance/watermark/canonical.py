"""From a picture to the domain of the mark: canonical luma, whitened, folded onto one periodic tile."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.watermark.errors import PictureInvalid
from provenance.watermark.visibility import perceptual_mask

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

# The shorter side of every picture is scaled to this many canonical pixels, so the mark survives rescaling.
SHORT_SIDE = 256
# The mark repeats every TILE canonical pixels, so that each crop of a quarter of the shorter side holds all
# of it.
TILE = 64
# Local statistics: a Gaussian of this deviation takes off the forms larger than the mark; being narrow, it also
# flattens the spectrum of natural pictures, …
HIGH_PASS_SIGMA = 1.7
# … and a box of this side measures what is left.
DEVIATION_BOX = 7
# Grey levels added (in square) to the local deviation, so that noise in flat regions is not blown up.
DEVIATION_FLOOR = 1.5
# Whitened values are cut here: single strong pixels say little about the mark.
WHITE_CLIP = 2.5
# Places are weighted by the strength expected there over the noise there. The power is a little below one,
# because a damaged picture's expected strength is not quite the original's.
WEIGHT_POWER = 0.8


def check_picture(pixels: Pixels) -> None:
    """Raise `PictureInvalid` unless the array is uint8 (h, w, 3) with at least one pixel."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise PictureInvalid("a picture is a uint8 array")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise PictureInvalid(f"a picture has shape (height, width, 3), not {pixels.shape}")


def luma(pixels: Pixels) -> Pixels:
    """Return BT.601 luma uint8 (h, w) of a BGR picture."""
    grey: Pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return grey


def canonical(grey: Pixels) -> Floats:
    """Return luma scaled so that its shorter side is `SHORT_SIDE`, float32, 0..255."""
    height, width = grey.shape
    shorter = min(height, width)
    size = (max(1, round(width * SHORT_SIDE / shorter)), max(1, round(height * SHORT_SIDE / shorter)))
    if shorter >= 4 * SHORT_SIDE:
        # Halving bytes first is quicker than one large step in floating point.
        grey = cv2.resize(grey, (size[0] * 2, size[1] * 2), interpolation=cv2.INTER_AREA)
    kind = cv2.INTER_CUBIC if shorter < SHORT_SIDE else cv2.INTER_AREA
    scaled: Floats = cv2.resize(grey.astype(np.float32), size, interpolation=kind)
    return scaled


def whiten(scaled: Floats) -> tuple[Floats, Floats]:
    """Return the weighted, high-passed luma over its local deviation, and the gain (per grey level).

    The weight is what the mark's own strength must have been at each place, judged from the picture as it is,
    so that noise from where the mark is weak is kept out.
    """
    detail = scaled - cv2.GaussianBlur(scaled, (0, 0), HIGH_PASS_SIGMA, borderType=cv2.BORDER_REFLECT)
    power = cv2.blur(detail * detail, (DEVIATION_BOX, DEVIATION_BOX))
    # The running sum inside cv2.blur rounds, and may come out a little below zero.
    gain = 1.0 / np.sqrt(np.maximum(power, 0.0) + np.float32(DEVIATION_FLOOR**2))
    weight = cv2.pow(perceptual_mask(scaled) * gain, WEIGHT_POWER)
    weight *= np.float32(1.0 / np.sqrt(np.mean(weight * weight, dtype=np.float64)))
    return np.clip(detail * gain, -WHITE_CLIP, WHITE_CLIP) * weight, gain * weight


def fold(values: Floats) -> Floats:
    """Return the sum of all tiles of an array, float32 (TILE, TILE), padded with zeros at the far edges."""
    height, width = values.shape
    padded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.float32)
    padded[:height, :width] = values
    folded: Floats = padded.reshape(padded.shape[0] // TILE, TILE, -1, TILE).sum(axis=(0, 2))
    return folded
