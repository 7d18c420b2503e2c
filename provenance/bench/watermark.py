"""The watermark bench: mark pictures, attack them, read them, and count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from provenance.bench.attacks import ATTACKS, Attack
from provenance.watermark import Watermarker, WatermarkError

Pixels = NDArray[np.uint8]
# Any number would do; one with ones and zeros throughout.
IDENT = 0x5A3C_96E1_0F77
# Timings are taken at this size, filled by the first picture.
FULL_HD = (1920, 1080)
TIMED_RUNS = 7


@dataclass(slots=True)
class AttackScore:
    """How many marked pictures were read after an attack: `exact` of `n` gave the very id."""

    n: int = 0
    exact: int = 0


@dataclass(slots=True)
class WatermarkFigures:
    """What the bench found. `video_ms_per_frame` is None: the mark is for stills as yet."""

    attacks: dict[str, AttackScore] = field(default_factory=dict)
    psnr_median: float | None = None
    psnr_min: float | None = None
    ssim_median: float | None = None
    ssim_min: float | None = None
    embed_ms: float | None = None
    read_ms: float | None = None
    read_search_ms: float | None = None
    video_ms_per_frame: float | None = None
    false_accepts: int = 0
    unmarked: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    missed: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


class WatermarkBench:
    """Collects figures picture by picture; `unmarked_crops` of each are read for false accepts."""

    def __init__(
        self, marks: Watermarker, attacks: Mapping[str, Attack] = ATTACKS, *, unmarked_crops: int = 2, seed: int = 0
    ) -> None:
        self._marks, self._attacks, self._crops = marks, attacks, unmarked_crops
        self._rng = np.random.default_rng(seed)
        self._psnr: list[float] = []
        self._ssim: list[float] = []
        self.figures = WatermarkFigures(attacks={name: AttackScore() for name in attacks})

    def add(self, name: str, pixels: Pixels) -> None:
        """Mark, attack and read one picture, BGR uint8 (h, w, 3)."""
        self._read_unmarked(pixels)
        try:
            marked = self._marks.embed(pixels, IDENT)
        except WatermarkError as refusal:
            self.figures.refused[name] = refusal.code
            return
        self._psnr.append(marked.psnr_db)
        self._ssim.append(_similarity(pixels, marked.pixels))
        for attack, damage in self._attacks.items():
            score = self.figures.attacks[attack]
            reading = self._marks.read(damage(marked.pixels))
            score.n += 1
            if reading is not None and reading.ident == IDENT:
                score.exact += 1
            else:
                self.figures.missed.setdefault(name, []).append(attack)
            self.figures.false_accepts += reading is not None and reading.ident != IDENT

    def time(self, pixels: Pixels) -> None:
        """Take the times of one thread at 1920 x 1080, with a picture scaled to fill that."""
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            full = _filled(pixels)
            marked = self._marks.embed(full, IDENT).pixels
            self.figures.embed_ms = _milliseconds(lambda: self._marks.embed(full, IDENT))
            self.figures.read_ms = _milliseconds(lambda: self._marks.read(marked, search=False))
            # An unmarked picture is searched to the end.
            self.figures.read_search_ms = _milliseconds(lambda: self._marks.read(full))
        finally:
            cv2.setNumThreads(threads)

    def finish(self) -> WatermarkFigures:
        """Return the figures over all pictures that were added."""
        if self._psnr:
            self.figures.psnr_median = round(statistics.median(self._psnr), 2)
            self.figures.psnr_min = round(min(self._psnr), 2)
            self.figures.ssim_median = round(statistics.median(self._ssim), 4)
            self.figures.ssim_min = round(min(self._ssim), 4)
        return self.figures

    def _read_unmarked(self, pixels: Pixels) -> None:
        height, width = pixels.shape[:2]
        for _ in range(self._crops):
            share = self._rng.uniform(0.5, 1.0)
            down, right = max(1, round(height * share)), max(1, round(width * share))
            top, left = self._rng.integers(0, height - down + 1), self._rng.integers(0, width - right + 1)
            crop = np.ascontiguousarray(pixels[top : top + down, left : left + right])
            self.figures.unmarked += 1
            self.figures.false_accepts += self._marks.read(crop) is not None


def _similarity(before: Pixels, after: Pixels) -> float:
    """Return SSIM of the luma, on windows of 7 x 7 pixels."""
    one, other = (cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) for pixels in (before, after))
    return float(structural_similarity(one, other))


def _filled(pixels: Pixels) -> Pixels:
    width, height = FULL_HD
    factor = max(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(width, round(pixels.shape[1] * factor)), max(height, round(pixels.shape[0] * factor)))
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)[:height, :width])


def _milliseconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return round(1000 * statistics.median(taken), 1)
