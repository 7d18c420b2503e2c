"""YuNet, OpenCV's small face detector, through ONNX Runtime like every other model."""

from __future__ import annotations

import numpy as np

from pipeline.detectors.findings import INPUT_SIDE, OVERLAP, STRIDES, THRESHOLD, Findings, anchors, letterbox
from pipeline.faces import Detection, Pixels
from pipeline.graph import Graph, Models, Sessions, Tensor


class YuNetDetector:
    """Detector over OpenCV Zoo's `face_detection_yunet_2023mar`: BGR in 0..255, outputs cls, obj, bbox, kps by stride.

    The score is class times object; `cv2.FaceDetectorYN` reports the square root of that.
    """

    name = "yunet"

    def __init__(
        self, runtime: Sessions, store: Models, *, threshold: float = THRESHOLD, overlap: float = OVERLAP
    ) -> None:
        self._graph = Graph(runtime, store, self.name)
        self._graph.require(outputs=4 * len(STRIDES))
        self._input = self._graph.only_input()
        self._side = self._graph.side(self._input, INPUT_SIDE)
        self._threshold, self._overlap = threshold, overlap
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces in the picture, best score first, overlapping findings suppressed."""
        canvas, ratio = letterbox(pixels, self._side)
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)
        outputs = self._graph.run({self._input: tensor})
        found = Findings.joined([self._decode(outputs, level) for level in range(len(STRIDES))])
        return found.detections(ratio, threshold=self._threshold, overlap=self._overlap)

    def _decode(self, outputs: list[Tensor], level: int) -> Findings:
        stride = STRIDES[level]
        cells = anchors(self._side, stride, 1)
        of_class, of_object, boxes, marks = (outputs[level + len(STRIDES) * kind] for kind in range(4))
        if (of_class.size, of_object.size, boxes.size, marks.size) != tuple(len(cells) * n for n in (1, 1, 4, 10)):
            raise self._graph.unfit(f"its outputs at stride {stride} do not fit an input of {self._side} px")
        raw = boxes.reshape(-1, 4)
        middle = cells + raw[:, :2] * stride
        half = np.exp(np.clip(raw[:, 2:], -20, 20)) * (stride / 2)
        return Findings(
            scores=(of_class * of_object).reshape(-1),
            boxes=np.concatenate([middle - half, middle + half], axis=1).astype(np.float32),
            points=cells[:, None] + marks.reshape(-1, 5, 2) * stride,
        )
