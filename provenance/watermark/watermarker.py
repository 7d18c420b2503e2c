"""The one class that marks pictures and reads marks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from provenance.watermark.canonical import (
    Floats,
    Pixels,
    canonical,
    check_picture,
    fold,
    luma,
    whiten,
)
from provenance.watermark.convolutional import TailBitingCode
from provenance.watermark.embedding import STANDARD, STRONG, Strength, embed_residual
from provenance.watermark.errors import NotReadable, PictureTooFlat, PictureTooSmall
from provenance.watermark.geometry import GeometricSearch
from provenance.watermark.keyed import KeyedDraws
from provenance.watermark.lattice import Lattice
from provenance.watermark.payload import MESSAGE_BITS, PayloadCodec
from provenance.watermark.reading import UNMOVED, Reading, TileReader

# 69 cycles on the shorter side need more than 138 pixels by the sampling theorem; 160 leave room for a
# filter.
MIN_SIDE = 160
# A picture whose luma deviates less than this many grey levels overall shows any mark.
MIN_DEVIATION = 1.0
# A key shorter than 128 bits could be guessed.
MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class MarkedPicture:
    """A marked picture: BGR `pixels` of the same shape, and `psnr_db` over all three channels."""

    pixels: Pixels
    psnr_db: float


class Watermarker:
    """Puts an invisible, keyed 48-bit identifier on pictures and reads it back without the original.

    The same key, picture and identifier give the same pixels. Instances hold no changing state, so one may be
    used from many threads.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"a watermark key needs at least {MIN_KEY_BYTES} bytes")
        self._payload = PayloadCodec(key)
        self._code = TailBitingCode(MESSAGE_BITS)
        self._lattice = Lattice(KeyedDraws(key), self._code.coded_bits)
        self._reader = TileReader(self._lattice, self._code, self._payload)
        self._search = GeometricSearch(self._lattice, self._reader)

    def embed(self, pixels: Pixels, ident: int, *, strength: Strength = STANDARD) -> MarkedPicture:
        """Return a marked copy that was read back; one that fails is tried once more at `STRONG`.

        `pixels` is BGR uint8 (h, w, 3), `ident` 0..2**48-1. Raises `PictureInvalid`, `PictureTooSmall`,
        `PictureTooFlat`, `NotReadable` or `NotFinite`, all of them `WatermarkError`.
        """
        check_picture(pixels)
        symbols = self._code.encode(self._payload.bits(ident))
        grey = luma(pixels)
        if min(grey.shape) < MIN_SIDE:
            raise PictureTooSmall(f"a {grey.shape[1]}×{grey.shape[0]} picture is too small to carry the mark")
        if float(cv2.meanStdDev(grey)[1][0, 0]) < MIN_DEVIATION:
            raise PictureTooFlat("the picture is a single colour")
        scaled = canonical(grey)
        for attempt in dict.fromkeys((strength, STRONG)):
            marked = _add(pixels, embed_residual(self._lattice, scaled, symbols, attempt, min(grey.shape)))
            reading = self.read(marked, search=False)
            if reading is not None and reading.ident == ident:
                return MarkedPicture(marked, _psnr(pixels, marked))
        if _burnt_out_share(grey) > 0.5:
            raise PictureTooFlat("most of the picture is pure black or white")
        raise NotReadable("the mark could not be read back from the picture it was put on")

    def read(self, pixels: Pixels, *, search: bool = True) -> Reading | None:
        """Return the mark on a BGR uint8 (h, w, 3) picture, or None where there is none of this key.

        Quarter turns, mirroring, scaling and shifts are always found; `search` also tries small rotations,
        stretching and crops, which takes about ten times as long. Raises `PictureInvalid` for anything but a
        picture.
        """
        check_picture(pixels)
        scaled = canonical(_bounded(luma(pixels)))
        white, _ = whiten(scaled)
        tile = fold(white)
        reading = self._reader.decode(tile, white.size, [UNMOVED])
        if reading is None:
            reading = self._reader.decode(tile, white.size, self._reader.placements(tile))
        if reading is None and search:
            reading = self._search.search(scaled, white)
        return reading


def _bounded(grey: Pixels) -> Pixels:
    """Return luma cut to a side ratio of 32: a hostile strip must not become a huge canonical picture."""
    limit = 32 * min(grey.shape)
    return grey[:limit, :limit]


def _add(pixels: Pixels, residual: Floats) -> Pixels:
    """Return the picture with a canonical residual, scaled and rounded, added to every channel."""
    height, width = pixels.shape[:2]
    full = cv2.resize(residual, (width, height), interpolation=cv2.INTER_CUBIC)
    change = np.rint(full).astype(np.int16)
    marked: Pixels = cv2.add(pixels, cv2.merge([change, change, change]), dtype=cv2.CV_8U)
    return marked


def _psnr(before: Pixels, after: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB; finite, because a mark always changes something."""
    error = cv2.norm(before, after, cv2.NORM_L2SQR) / before.size
    return round(float(10 * np.log10(255.0**2 / max(error, 1e-12))), 2)


def _burnt_out_share(grey: Pixels) -> float:
    return float(np.mean((grey <= 2) | (grey >= 253)))
