"""Passive liveness with MiniFASNet: whether a face looks like a print, a screen or a mask.

A vote, never a pass by itself: good prints get through, and noise scores as live, so that a face must be there first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np

from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime

MODELS: Final = ("minifasnet_v2", "minifasnet_v1se")

Verdict = Literal["live", "spoof", "not_usable"]

_BATCH: Final = 32
_MOST_OUTSIDE: Final = 0.30  # of a crop's area; past it the network sees too little of what it was trained on

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SpoofScores:
    """Probabilities that a face is a `flat` spoof (a print), `live`, or a `solid` or screen spoof; they add up to 1.

    `outside` is the share of the wider crop that would lie outside the picture; past 30 % the face is not usable and
    the probabilities, though given, say nothing.
    """

    flat: float
    live: float
    solid: float
    outside: float

    @property
    def usable(self) -> bool:
        """Whether enough of the surroundings is in the picture."""
        return self.outside <= _MOST_OUTSIDE

    @property
    def verdict(self) -> Verdict:
        """The most probable class, or that the face is not usable."""
        if not self.usable:
            return "not_usable"
        return "live" if self.live > max(self.flat, self.solid) else "spoof"


class SpoofDetector:
    """Both published networks, each with its own crop about the face; their probabilities are averaged."""

    name = "minifasnet"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        """Open both models; raises `ModelUnavailable` where one is not installed."""
        self._sessions = [runtime.session(store.path(name)) for name in MODELS]
        constants = [store.entry(name).constants for name in MODELS]
        self._scales = [float(values["crop"]) for values in constants]
        self._side = int(constants[0]["size"])
        self.digests: tuple[str, ...] = tuple(store.digest(name) for name in MODELS)

    def scores(self, pixels: Pixels, faces: Sequence[Face]) -> list[SpoofScores]:
        """Return the scores of each face in the picture, in the order given."""
        boxes: list[Box] = [_box(face.box) for face in faces]
        if not boxes:
            return []
        each = [
            self._run(session, [spoof_crop(pixels, box, scale, self._side) for box in boxes])
            for session, scale in zip(self._sessions, self._scales, strict=True)
        ]
        mean = np.mean(each, axis=0)
        widest = max(self._scales)
        return [
            SpoofScores(float(flat), float(live), float(solid), share_outside(pixels, box, widest))
            for (flat, live, solid), box in zip(mean, boxes, strict=True)
        ]

    @staticmethod
    def _run(session: Any, crops: Sequence[Pixels]) -> Floats:
        """Return float32 (len(crops), 3)."""
        tensor = np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)
        parts = [
            session.run(["probabilities"], {"faces": tensor[i : i + _BATCH]})[0] for i in range(0, len(crops), _BATCH)
        ]
        found = np.concatenate(parts).astype(np.float32)
        if found.shape != (len(crops), 3) or not np.isfinite(found).all():
            raise ValueError(f"unexpected answer of the network, shape {found.shape}")
        return found


def spoof_crop(pixels: Pixels, box: Box, scale: float, side: int = 80) -> Pixels:
    """Return the face box enlarged about its centre, uint8 (side, side, 3).

    As in Silent-Face-Anti-Spoofing's CropImage: the factor is reduced until the crop fits the picture, then the crop
    is shifted inside; both sides are scaled to the square separately.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    factor = min(scale, (height - 1) / (y1 - y0), (width - 1) / (x1 - x0))
    wide, high = (x1 - x0) * factor, (y1 - y0) * factor
    left = min(max((x0 + x1 - wide) / 2, 0), width - 1 - wide)
    top = min(max((y0 + y1 - high) / 2, 0), height - 1 - high)
    part = pixels[int(top) : int(top + high) + 1, int(left) : int(left + wide) + 1]
    return np.asarray(cv2.resize(part, (side, side)), np.uint8)


def share_outside(pixels: Pixels, box: Box, scale: float) -> float:
    """Return which share 0..1 of the box, enlarged about its centre, lies outside the picture."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    inside = _covered(x0, x1, scale, width) * _covered(y0, y1, scale, height)
    return 1 - inside


def _covered(start: float, end: float, scale: float, length: int) -> float:
    middle, half = (start + end) / 2, (end - start) / 2 * scale
    return max(0.0, min(middle + half, length) - max(middle - half, 0.0)) / (2 * half)


def _box(box: Floats) -> Box:
    """The box as numbers, at least a pixel wide and high."""
    x0, y0, x1, y1 = (float(value) for value in box)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
