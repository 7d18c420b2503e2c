"""YOLOv8-face: one table of boxes, scores and five points, already in input pixels."""

from __future__ import annotations

import numpy as np

from pipeline.detectors.findings import INPUT_SIDE, OVERLAP, THRESHOLD, Findings, letterbox
from pipeline.faces import Detection, Pixels
from pipeline.graph import Graph, Models, Sessions
from pipeline.warp import to_input

_COLUMNS = 4 + 1 + 5 * 3  # centre and size, score, five times x, y and visibility


class YoloFaceDetector:
    """Detector over a YOLOv8 pose graph trained on faces (derronqi/yolov8-face): RGB in 0..1."""

    name = "yolov8_face"

    def __init__(
        self, runtime: Sessions, store: Models, *, threshold: float = THRESHOLD, overlap: float = OVERLAP
    ) -> None:
        self._graph = Graph(runtime, store, self.name)
        self._input = self._graph.only_input()
        self._side = self._graph.side(self._input, INPUT_SIDE)
        self._threshold, self._overlap = threshold, overlap
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces in the picture, best score first, overlapping findings suppressed."""
        canvas, ratio = letterbox(pixels, self._side)
        table = self._graph.run({self._input: to_input([canvas], 1 / 255)})[0]
        if table.ndim != 3 or _COLUMNS not in table.shape[1:]:
            raise self._graph.unfit(f"its output is {table.shape} instead of 1 x {_COLUMNS} x n")
        rows = table[0].T if table.shape[1] == _COLUMNS else table[0]
        middle, half = rows[:, :2], rows[:, 2:4] / 2
        found = Findings(
            scores=rows[:, 4],
            boxes=np.concatenate([middle - half, middle + half], axis=1),
            points=rows[:, 5:].reshape(-1, 5, 3)[..., :2],
        )
        return found.detections(ratio, threshold=self._threshold, overlap=self._overlap)
