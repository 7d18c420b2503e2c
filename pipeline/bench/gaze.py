"""Where the eyes look: the iris between the corners of its eye, by MediaPipe's iris model."""

from __future__ import annotations

import numpy as np

from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from pipeline.warp import crop, square, to_input

SIDE = 64  # the network's input, px
MARGIN = 2.3  # the crop's side over the eye's width, as MediaPipe's iris graph has it
CORNERS = {"right": (33, 133), "left": (263, 362)}  # outer, inner
LIDS = list(range(16))  # of the network's 71 contour points those on the lids, corner 0, lower lid, corner 8, upper lid


class GazeMeter:
    """Finds irises in eyes that the mesh has located."""

    def __init__(self, runtime: OnnxRuntime, store: ModelStore) -> None:
        self._session = runtime.session(store.path("iris"))

    def gaze(self, pixels: Pixels, face: Face) -> Floats:
        """Where the irises stand, float32 (2, 2), right eye first.

        From the eye's middle, along and across the line between its corners, in widths of the eye.
        """
        return np.stack([self._eye(pixels, face, side) for side in CORNERS])

    def _eye(self, pixels: Pixels, face: Face, side: str) -> Floats:
        outer, inner = face.mesh[list(CORNERS[side]), :2]
        along = inner - outer if side == "right" else outer - inner  # to the image's right
        width = float(np.linalg.norm(along))
        roll = float(np.arctan2(along[1], along[0]))
        affine = square((outer + inner) / 2, MARGIN * max(width, 1.0), roll, SIDE)
        chip = crop(pixels, affine, SIDE)
        if side == "right":  # the network knows left eyes only
            chip = np.ascontiguousarray(chip[:, ::-1])
        outputs = ["output_eyes_contours_and_brows", "output_iris"]
        contour, iris = self._session.run(outputs, {"input_1": to_input([chip], 1 / 255)})
        points = np.concatenate([contour.reshape(71, 3)[LIDS, :2], iris.reshape(5, 3)[:1, :2]]).astype(np.float32)
        ends = points[[0, len(LIDS) // 2]]
        along = ends[1] - ends[0]
        axes = np.stack([along, np.array([-along[1], along[0]])]) / max(float(along @ along), 1e-6)
        gaze = axes @ (points[-1] - ends.mean(axis=0))
        return np.asarray(gaze * [-1 if side == "right" else 1, 1], dtype=np.float32)


def gaze_error(result: Floats, target: Floats) -> float:
    """The mean distance between the irises of two `GazeMeter.gaze` answers, in widths of the eye."""
    return float(np.linalg.norm(result - target, axis=1).mean())
