"""Body regions by NudeNet, looked for at several scales.

The network was trained at 320 px. A small figure in a large picture vanishes at that size, so the picture is looked
at again at 640, 1280 and 2560 px on its long side, as far as its own resolution goes; levels beyond 1280 px are cut
into overlapping tiles. At the finer levels parts of a large face look like body parts to the network, which never saw
a mouth that large: there, what lies inside such a face is left to the coarser levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pixels
from safety.findings import Box

# The order of the network's outputs (nudenet/nudenet.py, version 3.4.2).
LABELS: Final = (
    "female_genitalia_covered",
    "face_female",
    "buttocks_exposed",
    "female_breast_exposed",
    "female_genitalia_exposed",
    "male_breast_exposed",
    "anus_exposed",
    "feet_exposed",
    "belly_covered",
    "feet_covered",
    "armpits_covered",
    "armpits_exposed",
    "face_male",
    "belly_exposed",
    "male_genitalia_exposed",
    "anus_covered",
    "female_breast_covered",
    "buttocks_covered",
)

# The network answers for every cell of three grids; a side has to be a multiple of the coarsest.
_STRIDES: Final = (8, 16, 32)
_STRIDE: Final = _STRIDES[-1]
_LEVELS: Final = (320, 640, 1280, 2560)
_TILE: Final = 1280
_OVERLAP: Final = 256
# A face wider than this at a finer level is larger than the faces that the network learned, in its pixels.
_LARGE_FACE_PX: Final = 120.0
# How far the head with its hair and neck goes beyond the face's box, in widths: left, above, right, below.
_HEAD_MARGINS: Final = (0.45, 0.6, 0.45, 0.45)


@dataclass(frozen=True, slots=True)
class Region:
    """The best finding of one label: `score` 0..1, `box` x0 y0 x1 y1 in the picture's pixels, level in pixels."""

    score: float
    box: Box
    level: int


@dataclass(frozen=True, slots=True)
class _View:
    """A part of the picture as the network sees it: its top-left corner and pixels at the level's `scale`."""

    level: int
    scale: float
    x: int
    y: int
    pixels: Pixels


def best_regions(session: Any, pixels: Pixels, face_boxes: Floats) -> dict[str, Region]:
    """Return the highest-scoring region of every label over all scales.

    `face_boxes` is float32 (n, 4), x0 y0 x1 y1. Raises ValueError where the network's answer has the wrong shape or is
    not finite.
    """
    best: dict[str, Region] = {}
    for view in _views(pixels):
        boxes, scores = _detect(session, view)
        if view.level > _LEVELS[0]:
            scores = np.where(_inside_large_face(boxes, face_boxes, view.scale)[:, None], 0, scores)
        rows = scores.argmax(axis=0)
        for column, label in enumerate(LABELS):
            score = float(scores[rows[column], column])
            if label not in best or score > best[label].score:
                x0, y0, x1, y1 = (float(edge) for edge in boxes[rows[column]])
                best[label] = Region(score, (x0, y0, x1, y1), view.level)
    return best


def _views(pixels: Pixels) -> Iterator[_View]:
    """Yield the levels from the finest to the coarsest; each is reduced from the one before, which is cheaper."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    small = pixels
    for level in sorted((level for level in _LEVELS if level <= max(longest, _LEVELS[0])), reverse=True):
        scale = level / longest
        size = max(1, round(width * scale)), max(1, round(height * scale))
        mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(small, size, interpolation=mode), np.uint8)
        for y in _starts(size[1]):
            for x in _starts(size[0]):
                yield _View(level, scale, x, y, small[y : y + _TILE, x : x + _TILE])


def _starts(length: int) -> list[int]:
    """Return where tiles begin so that they cover the length and overlap by `_OVERLAP` at least."""
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(start) for start in np.linspace(0, length - _TILE, count)]


def _detect(session: Any, view: _View) -> tuple[Floats, Floats]:
    """Return boxes float32 (n, 4) in the picture's pixels and scores float32 (n, 18) of one view."""
    height, width = view.pixels.shape[:2]
    canvas = np.zeros((-(-height // _STRIDE) * _STRIDE, -(-width // _STRIDE) * _STRIDE, 3), np.uint8)
    canvas[:height, :width] = view.pixels
    tensor = cv2.dnn.blobFromImage(canvas, scalefactor=1 / 255, swapRB=True)
    (output,) = session.run(None, {"images": tensor})
    table = np.asarray(output, np.float32)
    anchors = sum((canvas.shape[0] // stride) * (canvas.shape[1] // stride) for stride in _STRIDES)
    if table.shape != (1, 4 + len(LABELS), anchors) or not np.isfinite(table).all():
        raise ValueError(f"unexpected answer of the network, shape {table.shape}")
    cx, cy, w, h = table[0, :4]
    corners = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    corners[:, 0::2] = corners[:, 0::2].clip(0, width) + view.x
    corners[:, 1::2] = corners[:, 1::2].clip(0, height) + view.y
    return np.asarray(corners / view.scale, np.float32), np.ascontiguousarray(table[0, 4:].T)


def _inside_large_face(boxes: Floats, faces: Floats, scale: float) -> NDArray[np.bool_]:
    """Return bool (n,): whether the box is a part of a head that is too large at this scale."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = np.zeros(len(boxes), bool)
    for x0, y0, x1, y1 in faces:
        width = x1 - x0
        if width * scale <= _LARGE_FACE_PX:
            continue
        left, above, right, below = (margin * width for margin in _HEAD_MARGINS)
        in_head = (middle > (x0 - left, y0 - above)).all(axis=1) & (middle < (x1 + right, y1 + below)).all(axis=1)
        # A region wider than the face is not a part of it.
        inside |= in_head & (boxes[:, 2] - boxes[:, 0] < width)
    return inside
