"""SCRFD and insightface's RetinaFace: anchors that give the distances to a box's sides and to five points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.detectors.findings import INPUT_SIDE, OVERLAP, STRIDES, THRESHOLD, Findings, anchors, letterbox
from pipeline.faces import Detection, Floats, Pixels
from pipeline.graph import Graph, Models, Sessions, Tensor

_ANCHORS = 2  # at each cell
_MEAN, _SPREAD = 127.5, 128.0


@dataclass(frozen=True, slots=True)
class ScrfdModel:
    """A model of the family: its name in the catalogue, and whether it was exported to be fed RGB."""

    name: str
    rgb: bool = False


# insightface (detection/scrfd; `det_10g` of its buffalo_l pack). Face-swap projects feed the common exports BGR, as
# it is done here; insightface's own code swaps to RGB: `rgb` is for an export that turns out to need it.
SCRFD = ScrfdModel("scrfd")
RETINAFACE = ScrfdModel("retinaface")


class ScrfdDetector:
    """Detector over graphs with nine outputs: scores, box distances, point distances at the strides 8, 16 and 32."""

    def __init__(
        self,
        runtime: Sessions,
        store: Models,
        model: ScrfdModel = SCRFD,
        *,
        threshold: float = THRESHOLD,
        overlap: float = OVERLAP,
    ) -> None:
        self._graph = Graph(runtime, store, model.name)
        self._graph.require(outputs=3 * len(STRIDES))
        self._input = self._graph.only_input()
        self._side = self._graph.side(self._input, INPUT_SIDE)
        self._rgb = model.rgb
        self._threshold, self._overlap = threshold, overlap
        self.name = model.name
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces in the picture, best score first, overlapping findings suppressed."""
        canvas, ratio = letterbox(pixels, self._side)
        channels = canvas[..., ::-1] if self._rgb else canvas
        tensor = (channels.transpose(2, 0, 1)[None].astype(np.float32) - _MEAN) / np.float32(_SPREAD)
        outputs = self._graph.run({self._input: np.ascontiguousarray(tensor)})
        found = Findings.joined([self._decode(outputs, level) for level in range(len(STRIDES))])
        return found.detections(ratio, threshold=self._threshold, overlap=self._overlap)

    def _decode(self, outputs: list[Tensor], level: int) -> Findings:
        stride, levels = STRIDES[level], len(STRIDES)
        centres = anchors(self._side, stride, _ANCHORS)
        scores, sides, marks = (outputs[level + levels * kind] for kind in range(3))
        if (scores.size, sides.size, marks.size) != (len(centres), 4 * len(centres), 10 * len(centres)):
            raise self._graph.unfit(f"its outputs at stride {stride} do not fit an input of {self._side} px")
        return Findings(
            scores=scores.reshape(-1),
            boxes=_boxes(centres, sides.reshape(-1, 4) * stride),
            points=centres[:, None] + marks.reshape(-1, 5, 2) * stride,
        )


def _boxes(centres: Floats, sides: Floats) -> Floats:
    """Boxes (n, 4) whose left, top, right and bottom side lie that far from the centre."""
    return np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
