"""From a picture to the domain of the mark: canonical luma, whitened, folded onto one periodic tile."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.watermark.errors import PictureInvalid

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

# The shorter side of every picture is scaled to this many canonical pixels, so the mark survives rescaling.
SHORT_SIDE = 256
# The mark repeats every TILE canonical pixels, so that each crop of a quarter of the shorter side holds all
# of it.
TILE = 64
# Local statistics: a Gaussian of this deviation splits off the low frequencies below the band of the mark …
HIGH_PASS_SIGMA = 7
# … and a box of this side measures what is left. Chosen on 26 pictures, flat within a factor of 1.5 around
# these.
DEVIATION_BOX = 15
# Grey levels added to the local deviation, so that noise in flat regions is not blown up.
DEVIATION_FLOOR = 1.5
# Squared contrast above this (63 grey levels) counts no further towards the local deviation: edges do not
# dominate.
CONTRAST_CAP = 4000.0
# Whitened values are cut here: single strong pixels say little about the mark.
WHITE_CLIP = 3.0


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
    """Return the high-passed luma over its local deviation, and the gain 1/deviation (per grey level)."""
    blurred = cv2.GaussianBlur(scaled, (0, 0), HIGH_PASS_SIGMA, borderType=cv2.BORDER_REFLECT)
    detail = scaled - blurred
    power = cv2.blur(np.minimum(detail * detail, CONTRAST_CAP), (DEVIATION_BOX, DEVIATION_BOX))
    # The running sum inside cv2.blur rounds, and may come out a little below zero.
    gain = 1.0 / (np.sqrt(np.maximum(power, 0.0)) + np.float32(DEVIATION_FLOOR))
    return np.clip(detail * gain, -WHITE_CLIP, WHITE_CLIP), gain


def fold(values: Floats) -> Floats:
    """Return the sum of all tiles of an array, float32 (TILE, TILE), padded with zeros at the far edges."""
    height, width = values.shape
    padded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.float32)
    padded[:height, :width] = values
    folded: Floats = padded.reshape(padded.shape[0] // TILE, TILE, -1, TILE).sum(axis=(0, 2))
    return folded
