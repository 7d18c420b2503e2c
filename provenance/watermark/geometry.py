"""Finding a mark in a picture that was rescaled, cropped, stretched or turned a little.

The tile's lattice shows as peaks in the power spectrum of the whitened picture. A grid of frequency maps is
scored on the peaks, the best are refined, the geometry is undone, and the pilot and the MAC decide. Covered:
scale 0.55 to 1.03 of the canonical picture, ±4 degrees, ±13 % aspect, beside what `placements` covers
(quarter turns, mirroring).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.watermark.canonical import TILE, Floats, fold, whiten
from provenance.watermark.lattice import Lattice, Reals, half_ring
from provenance.watermark.reading import Placement, Reading, TileReader

# The spectrum is taken over at most this many canonical pixels each way.
SPECTRUM = 512
PILOT_LINE_WEIGHT = 1.6
REFINED = 8
DECODED = 5
POLISHED = 2
# Pilot scores of wrong geometries reach 4.6 one time in four and never passed 5.3 on 48 unmarked crops; geometries
# that decoded scored above 6.2, and polishing helped only from 6.4 on.
DECODE_SCORE = 4.6
POLISH_SCORE = 5.3
# A picture mapped back to less or more than this many canonical pixels a side is not worth decoding.
SIDE_RANGE = (32, 1500)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one geometry gave: the pilot's score and, where the MAC accepted one, a reading."""

    score: float
    reading: Reading | None = None


class GeometricSearch:
    """Searches scale, aspect and rotation for one key. Holds no state between calls."""

    def __init__(self, lattice: Lattice, reader: TileReader) -> None:
        self._reader = reader
        self._rows, self._columns = lattice.rows, lattice.columns
        self._weight = np.ones(len(lattice.rows), np.float32)
        self._weight[lattice.pilot] = PILOT_LINE_WEIGHT

    def search(self, scaled: Floats, white: Floats) -> Reading | None:
        """Return the reading of a canonical picture at the best geometry that decodes, or None."""
        spectrum = log_spectrum(white)
        refined = sorted((self._refine(spectrum, start) for start in self._starts(spectrum)), key=lambda pair: -pair[0])
        tried: list[tuple[float, Reals]] = []
        for _, geometry in refined[:DECODED]:
            attempt = self._attempt(scaled, geometry, DECODE_SCORE)
            if attempt.reading is not None:
                return attempt.reading
            tried.append((attempt.score, geometry))
        tried.sort(key=lambda pair: -pair[0])
        for score, geometry in tried[:POLISHED]:
            reading = self._polish(scaled, geometry, score) if score >= POLISH_SCORE else None
            if reading is not None:
                return reading
        return None

    def _starts(self, spectrum: Floats) -> list[Reals]:
        """Return the best grid geometries that differ clearly: (scale x, scale y, degrees)."""
        grid, where = _grid()
        # A blur stands for the tolerance of the coarse grid.
        score = cv2.blur(spectrum, (3, 3)).ravel()[where] @ self._weight
        picked: list[Reals] = []
        for index in np.argsort(-score, kind="stable"):
            candidate = grid[index]
            if all(_differ(candidate, other) for other in picked):
                picked.append(candidate)
            if len(picked) == REFINED:
                break
        return picked

    def _refine(self, spectrum: Floats, geometry: Reals) -> tuple[float, Reals]:
        """Climb on the interpolated spectrum; return the score and the geometry."""
        padded = np.pad(spectrum, ((0, 1), (0, 1)), mode="wrap")
        step = np.array([0.004, 0.004, 0.25])
        best = float(self._spectral_scores(padded, geometry[None])[0])
        for _ in range(5):
            trials = geometry + _NEIGHBOURS * step * np.array([geometry[0], geometry[1], 1.0])
            scores = self._spectral_scores(padded, trials)
            index = int(scores.argmax())
            if scores[index] > best:
                best, geometry = float(scores[index]), trials[index]
            step = step * 0.6
        return best, geometry

    def _spectral_scores(self, padded: Floats, geometries: Reals) -> Reals:
        across, down = _map_lines(geometries, self._rows, self._columns)
        values = cv2.remap(
            padded,
            (across % SPECTRUM).astype(np.float32),
            (down % SPECTRUM).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        scores: Reals = values @ self._weight
        return scores

    def _polish(self, scaled: Floats, geometry: Reals, score: float) -> Reading | None:
        """Climb on the pilot's own score, one parameter at a time, decoding wherever it does not fall."""
        step = np.array([0.002, 0.002, 0.12])
        for _ in range(2):
            for axis in range(3):
                for sign in (-1.0, 1.0):
                    trial = geometry.copy()
                    trial[axis] += sign * step[axis] * (1.0 if axis == 2 else trial[axis])
                    attempt = self._attempt(scaled, trial, score)
                    if attempt.reading is not None:
                        return attempt.reading
                    if attempt.score > score:
                        score, geometry = attempt.score, trial
            step = step / 2
        return None

    def _attempt(self, scaled: Floats, geometry: Reals, needed: float) -> _Attempt:
        """Undo a geometry, correlate the pilot, and decode where its score reaches `needed`."""
        straight = undo_geometry(scaled, geometry)
        if straight is None:
            return _Attempt(0.0)
        white, _ = whiten(straight)
        tile = fold(white)
        placements: list[Placement] = self._reader.placements(tile, 3)
        score = placements[0].score
        if score < needed:
            return _Attempt(score)
        return _Attempt(score, self._reader.decode(tile, white.size, placements))


def log_spectrum(white: Floats) -> Floats:
    """Return log(1 + power relative to its neighbourhood), float32 (SPECTRUM, SPECTRUM)."""
    padded = np.zeros((SPECTRUM, SPECTRUM), np.float32)
    height, width = min(white.shape[0], SPECTRUM), min(white.shape[1], SPECTRUM)
    padded[:height, :width] = white[:height, :width]
    transform = cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT)
    power = cv2.mulSpectrums(transform, transform, 0, conjB=True)[..., 0]
    wrapped = np.pad(np.maximum(power, 0.0), 16, mode="wrap")
    flat = (wrapped / (np.maximum(cv2.blur(wrapped, (21, 21)), 0.0) + 1e-9))[16:-16, 16:-16]
    spectrum: Floats = np.log1p(flat).astype(np.float32)
    return spectrum


def undo_geometry(scaled: Floats, geometry: Reals) -> Floats | None:
    """Return the canonical picture with a frequency map undone, or None where that has no usable size."""
    inverse = np.linalg.inv(_matrices(geometry[None])[0])
    forward = inverse.T
    height, width = scaled.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ np.linalg.inv(forward).T
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    if min(size) < SIDE_RANGE[0] or max(size) > SIDE_RANGE[1]:
        return None
    matrix = np.column_stack([forward, forward @ (low + 0.5) - 0.5])
    straight: Floats = cv2.warpAffine(
        scaled, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
    )
    return straight


_NEIGHBOURS = np.array(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing="ij")).reshape(3, -1).T


def _differ(one: Reals, other: Reals) -> bool:
    return bool(np.abs(np.log(one[:2] / other[:2])).max() > 0.012 or abs(one[2] - other[2]) > 0.9)


def _matrices(geometries: Reals) -> Reals:
    """Return (n, 2, 2) maps from canonical to received frequency, rows x then y."""
    turn = np.deg2rad(geometries[:, 2])
    across, down = geometries[:, 0], geometries[:, 1]
    return np.array(
        [[np.cos(turn) * across, -np.sin(turn) * down], [np.sin(turn) * across, np.cos(turn) * down]]
    ).transpose(2, 0, 1)


def _map_lines(geometries: Reals, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Reals, Reals]:
    """Return where each line falls in the spectrum, x and y, (n, lines), in bins that may be negative."""
    matrices = _matrices(geometries) * (SPECTRUM / TILE)
    across = matrices[:, 0, 0, None] * columns + matrices[:, 0, 1, None] * rows
    down = matrices[:, 1, 0, None] * columns + matrices[:, 1, 1, None] * rows
    return across, down


@lru_cache(maxsize=1)
def _grid() -> tuple[Reals, NDArray[np.int32]]:
    """Return the coarse grid of geometries (n, 3) and the flat spectrum bins of their lines (n, lines)."""
    scales = np.exp(np.arange(np.log(0.55), np.log(1.03), 0.006))
    turns = np.arange(-4.0, 4.01, 0.4)
    aspects = np.arange(-0.13, 0.131, 0.006)
    rows = [(scale, scale, turn) for scale in scales for turn in turns]
    rows += [(scale * np.exp(a), scale * np.exp(-a), 0.0) for scale in scales for a in aspects if abs(a) > 1e-3]
    grid = np.array(rows)
    line_rows, line_columns, _, _ = half_ring()
    across, down = _map_lines(grid, line_rows, line_columns)
    bins = (np.rint(down).astype(np.int32) % SPECTRUM) * SPECTRUM + np.rint(across).astype(np.int32) % SPECTRUM
    return grid, bins
