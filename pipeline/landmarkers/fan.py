"""2DFAN4: 68 landmarks out of heat maps, upright or turned, with the mesh fitted to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.align import five_of_68
from pipeline.errors import FaceRefused
from pipeline.faces import Detection, Face, Floats, Pixels
from pipeline.graph import Graph, Models, Sessions
from pipeline.landmarkers.lift import lift_68
from pipeline.pose import head_pose
from pipeline.warp import apply, crop, invert, square, to_input

_SIDE = 256  # the network's input, px
_FACE = 195  # how long the face box's longer side is in it (the reference scale of 1adrianb/face-alignment)
_MAP = 64  # the heat maps' side
_SURE = 0.9  # the mean peak of heat maps that are as good as they get


class FanLandmarker:
    """68 landmarks (1adrianb/face-alignment, exported with its heat maps decoded): RGB in 0..1."""

    name = "2dfan4"

    def __init__(self, runtime: Sessions, store: Models, *, presence: float = 0.5) -> None:
        self._graph = Graph(runtime, store, self.name)
        self._input = self._graph.only_input()
        self._least_presence = presence
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def locate(self, pixels: Pixels, detection: Detection) -> Face:
        """Return the face at the detection.

        Raises:
            FaceRefused: `no_face`, the heat maps have no clear peaks.

        """
        box = np.asarray(detection.box, np.float64)
        eyes = detection.keypoints[1] - detection.keypoints[0]
        return self._locate(pixels, box, float(np.arctan2(eyes[1], eyes[0])), detection.score)

    def _locate(self, pixels: Pixels, box: NDArray[np.floating[Any]], roll: float, score: float) -> Face:
        side = _SIDE / _FACE * max(float((box[2:] - box[:2]).max()), 1.0)
        affine = square((box[:2] + box[2:]) / 2, side, roll, _SIDE)
        marks, presence = self._run(crop(pixels, affine, _SIDE))
        if not presence >= self._least_presence:
            raise FaceRefused(
                "no_face", "No face is visible where one was expected.", "Use a clear, unobstructed face."
            )
        points = apply(invert(affine), marks)
        mesh = lift_68(points)
        pose = head_pose(mesh)
        return Face(mesh, presence, pose.angles, pose.width, score, five_of_68(points))

    def _run(self, face: Pixels) -> tuple[Floats, float]:
        """One pass. Returns the landmarks (68, 2) in crop pixels and how clear they are, 0..1."""
        outputs = self._graph.run({self._input: to_input([face], 1 / 255)})
        table = next((value for value in outputs if value.shape == (1, 68, 3)), None)
        if table is None:
            raise self._graph.unfit("it has no output of 1 x 68 x 3")
        maps = next((value for value in outputs if value.shape[:2] == (1, 68) and value.ndim == 4), None)
        peaks = table[0, :, 2] if maps is None else maps[0].max(axis=(1, 2))
        return table[0, :, :2] * np.float32(_SIDE / _MAP), float(np.clip(peaks.mean() / _SURE, 0, 1))
