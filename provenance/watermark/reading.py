"""Reading a folded tile: the pilot places it, the decoder takes its soft bits, the MAC judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from provenance.watermark.canonical import TILE, Floats
from provenance.watermark.convolutional import TailBitingCode
from provenance.watermark.lattice import Lattice
from provenance.watermark.payload import PayloadCodec

# The pilot is correlated on a grid of half tile pixels: finer gains nothing below 17 cycles a tile.
OVERSAMPLING = 2
# Soft bits are cut at this many medians, so that one loud line of the host outvotes no others.
SOFT_CLIP = 2.5
# How many of the pilot's best answers are decoded.
CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """A mark that was read: its 48-bit `ident`, and `confidence` 0..1.

    Confidence is the share of the received signal that agrees with the decoded word: near 1 on an untouched
    copy, about 0.5 where the decoder just made it. A reading that passed the MAC is right whatever its
    confidence; the number says how much more damage the mark would have stood.
    """

    ident: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Placement:
    """How a folded tile lies: mirrored or not, then `turns` quarter turns, then an offset in tile pixels."""

    turns: int = 0
    mirrored: bool = False
    down: float = 0.0
    right: float = 0.0
    score: float = 0.0

    def orient(self, tile: Floats) -> Floats:
        """Return the tile with this placement's mirroring and turns applied."""
        return np.rot90(tile[:, ::-1] if self.mirrored else tile, self.turns)


UNMOVED = Placement()
ORIENTATIONS = tuple(Placement(turns, mirrored) for mirrored in (False, True) for turns in range(4))


class TileReader:
    """Decodes folded tiles for one key. Holds no state between calls."""

    def __init__(self, lattice: Lattice, code: TailBitingCode, payload: PayloadCodec) -> None:
        self.lattice = lattice
        self._code = code
        self._payload = payload

    def placements(self, tile: Floats, count: int = CANDIDATES) -> list[Placement]:
        """Return the likeliest placements, best first; `score` is the correlation peak in deviations."""
        size = TILE * OVERSAMPLING
        tiles = np.stack([placement.orient(tile) for placement in ORIENTATIONS])
        surface = scipy.fft.ifft2(self.lattice.pilot_spectrum(tiles, size)).real.reshape(len(tiles), -1)
        peak = surface.argmax(axis=1)
        score = surface.max(axis=1) / (surface.std(axis=1) + 1e-30)
        best = np.argsort(-score, kind="stable")[:count]
        return [
            Placement(
                ORIENTATIONS[i].turns,
                ORIENTATIONS[i].mirrored,
                int(peak[i]) // size / OVERSAMPLING,
                int(peak[i]) % size / OVERSAMPLING,
                float(score[i]),
            )
            for i in best
        ]

    def decode(self, tile: Floats, pixels: int, placements: Sequence[Placement]) -> Reading | None:
        """Return the first reading among the placements that our MAC accepts; `pixels` were folded."""
        lines = np.stack(
            [self.lattice.shifted(self.lattice.lines(p.orient(tile), pixels), p.down, p.right) for p in placements]
        )
        soft, _ = self.lattice.measure(lines)
        limit = SOFT_CLIP * np.median(np.abs(soft), axis=1, keepdims=True)
        values = np.clip(soft, -limit, limit).astype(np.float32)
        for received, messages in zip(values, self._code.decode_list(values), strict=True):
            for bits in messages:
                ident = self._payload.ident(bits)
                if ident is not None:
                    return Reading(ident, self._confidence(received, bits))
        return None

    def _confidence(self, values: Floats, bits: NDArray[np.uint8]) -> float:
        agreement = float((values * self._code.encode(bits)).sum()) / (float(np.abs(values).sum()) + 1e-30)
        return round(min(max(agreement, 0.0), 1.0), 4)
