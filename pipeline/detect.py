"""Face detection with BlazeFace: the whole picture first, then tiles of it where that finds too little."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from pipeline.faces import Detection, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from pipeline.warp import to_input

_SIDE = 192  # the network's input, px
_GRID = 48  # anchors along each side; one anchor in each cell's middle
_SMALL = 0.12  # where every face is below this share of a tile's side, the tiles may find more
_LEAST_TILE = 144  # px; smaller tiles would only be blown up
_COARSE_TILE = 2 * _SIDE  # a picture in which half a side is more than this has faces that the first look misses
_MAX_FACES = 64


class BlazeFaceDetector:
    """MediaPipe's full-range face detector.

    The network sees 192 px. A large picture is looked at again in overlapping tiles of half its longer side,
    and one that shows no face, or only faces that are tiny in it, also in tiles of a quarter.
    """

    name = "blazeface"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore, *, threshold: float = 0.5) -> None:
        self._session = runtime.session(store.path(self.name))
        self._outputs = list(store.entry(self.name).outputs)
        self._threshold = threshold
        self.digests: tuple[str, ...] = (store.digest(self.name),)
        middle = (np.arange(_GRID, dtype=np.float32) + 0.5) * (_SIDE / _GRID)
        self._anchors = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces in the picture, best score first, overlapping findings suppressed."""
        long_side = max(pixels.shape[:2])
        found = _distinct([], self._look(pixels, 0, 0))
        for parts in (2, 4):
            side = -(-long_side // parts)
            enough = any(_size(finding) > _SMALL * side for finding in found)
            if side < _LEAST_TILE or (enough and not (parts == 2 and side > _COARSE_TILE)):
                break
            closer = [self._look(pixels[y : y + side, x : x + side], x, y) for x, y in _tiles(pixels, side)]
            found = _distinct(found, [finding for findings in closer for finding in findings])
        return sorted(found, key=lambda finding: -finding.score)[:_MAX_FACES]

    def _look(self, pixels: Pixels, x: int, y: int) -> list[Detection]:
        """Run the network once on a part of the picture whose top-left pixel is (x, y)."""
        height, width = pixels.shape[:2]
        scale = _SIDE / max(height, width)
        shape = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[: shape[1], : shape[0]] = cv2.resize(pixels, shape, interpolation=how)
        tensor = to_input([canvas], 2 / 255, -1)
        boxes, logits = self._session.run(self._outputs, {"input": tensor})
        scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1), -50, 50)))
        shift = np.array([x, y], np.float32)
        return [
            self._decode(float(scores[i]), boxes[0, i], self._anchors[i], 1 / scale, shift)
            for i in np.flatnonzero(scores > self._threshold)
        ]

    @staticmethod
    def _decode(score: float, raw: Floats, anchor: Floats, scale: float, shift: Floats) -> Detection:
        """Raw (16,): centre, size, six keypoints, in input pixels relative to the anchor."""
        pairs = raw.reshape(8, 2)
        centre, half = pairs[0] + anchor, pairs[1] / 2
        box = np.concatenate([centre - half, centre + half]) * scale + np.tile(shift, 2)
        keypoints = (pairs[2:] + anchor) * scale + shift
        return Detection(score, box.astype(np.float32), keypoints.astype(np.float32))


def _tiles(pixels: Pixels, side: int) -> Iterator[tuple[int, int]]:
    """Top-left corners of tiles that cover the picture and overlap by at least a quarter."""
    height, width = pixels.shape[:2]
    for y in _starts(height, side):
        for x in _starts(width, side):
            yield x, y


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (0.75 * side))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _size(detection: Detection) -> float:
    return float((detection.box[2:] - detection.box[:2]).max())


def _distinct(known: list[Detection], more: list[Detection]) -> list[Detection]:
    """Add to what is known the best of each new group: a tile may show a part of a face that is known already."""
    kept = list(known)
    for candidate in sorted(more, key=lambda finding: -finding.score):
        if all(_overlap(candidate.box, other.box) <= 0.3 for other in kept):
            kept.append(candidate)
    return kept


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection over the smaller box: a face cut by a tile's edge lies inside the whole one."""
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2])
    return float(sides.prod() / max(min(areas), 1e-6))
