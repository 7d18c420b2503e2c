"""What all anchor-based detectors share: the letterboxed input, raw findings, suppression of overlapping ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Detection, Floats, Pixels

INPUT_SIDE = 640  # px, where the graph leaves its input open
THRESHOLD = 0.5  # least score
OVERLAP = 0.4  # intersection over union above which the weaker finding is the same face
STRIDES = (8, 16, 32)
_MOST = 256  # findings that are looked at


@dataclass(frozen=True, slots=True)
class Findings:
    """Raw findings in input pixels: `scores` float32 (n,), `boxes` (n, 4) x0 y0 x1 y1, `points` (n, 5, 2)."""

    scores: Floats
    boxes: Floats
    points: Floats

    @classmethod
    def joined(cls, parts: list[Findings]) -> Findings:
        """Put the findings of several feature maps together."""
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.points for part in parts]),
        )

    def detections(self, ratio: Floats, *, threshold: float, overlap: float) -> list[Detection]:
        """Return the distinct faces in picture pixels, best first; `ratio` is picture over input pixels, x and y."""
        rows = np.flatnonzero((self.scores >= threshold) & np.isfinite(self.boxes).all(axis=1))
        rows = rows[np.argsort(-self.scores[rows], kind="stable")][:_MOST]
        kept = suppress(self.boxes[rows], overlap)
        return [
            Detection(
                score=float(min(self.scores[row], 1.0)),
                box=(self.boxes[row] * np.tile(ratio, 2)).astype(np.float32),
                keypoints=(self.points[row] * ratio).astype(np.float32),
            )
            for row in rows[kept]
        ]


def letterbox(pixels: Pixels, side: int) -> tuple[Pixels, Floats]:
    """Fit the picture into the top-left of a black square.

    Returns BGR uint8 (side, side, 3), and picture over square pixels along x and y, float32 (2,).
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.zeros((side, side, 3), np.uint8)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[: shape[1], : shape[0]] = cv2.resize(pixels, shape, interpolation=how)
    return canvas, np.array([width / shape[0], height / shape[1]], np.float32)


def anchors(side: int, stride: int, each: int) -> Floats:
    """Return the cells' corners in input pixels, row by row, `each` times repeated, float32 (n, 2)."""
    cells = np.arange(side // stride, dtype=np.float32) * stride
    grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    return np.repeat(grid, each, axis=0)


def suppress(boxes: Floats, overlap: float) -> NDArray[np.intp]:
    """Return the rows to keep of boxes (n, 4) that are sorted best first."""
    left = np.arange(len(boxes))
    kept: list[int] = []
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    while left.size:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        left = left[common <= overlap * np.maximum(areas[best] + areas[left] - common, 1e-6)]
    return np.array(kept, np.intp)
