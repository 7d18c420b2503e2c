"""Lays MediaPipe's 468-point face mesh on a detected face, or follows it from one frame to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FaceRefused
from pipeline.faces import Detection, Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.pose import head_pose
from pipeline.runtime import OnnxRuntime
from pipeline.warp import apply, crop, invert, square, to_input

_SIDE = 192  # the network's input, px
_MARGIN = 1.5  # the crop's side over the face's, as MediaPipe's own graph has it
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners; the subject's right eye is image-left


class MeshLandmarker:
    """The face mesh: 468 vertices with depth, and the network's belief that there is a face at all."""

    name = "face_mesh"

    def __init__(self, runtime: OnnxRuntime, store: ModelStore, *, presence: float = 0.5) -> None:
        self._session = runtime.session(store.path(self.name))
        self._outputs = list(store.entry(self.name).outputs)
        self._least_presence = presence
        self.digests: tuple[str, ...] = (store.digest(self.name),)

    def locate(self, pixels: Pixels, detection: Detection) -> Face:
        """Return the face at the detection, refined once from the mesh's own box.

        Raises:
            FaceRefused: `no_face`, the network denies that there is one.

        """
        box = detection.box
        eyes = detection.keypoints[1] - detection.keypoints[0]
        side = _MARGIN * float((box[2:] - box[:2]).max())
        roll = float(np.arctan2(eyes[1], eyes[0]))
        mesh, _ = self._run(pixels, (box[:2] + box[2:]) / 2, side, roll)
        return self._refined(pixels, mesh, detection.score)

    def track(self, pixels: Pixels, previous: Face) -> Face:
        """Return the face in the next frame of a video, searched where the previous frame had it.

        Raises:
            FaceRefused: `no_face`, it moved too far or is hidden; detect it anew.

        """
        return self._refined(pixels, previous.mesh, previous.score)

    def _refined(self, pixels: Pixels, mesh: Floats, score: float) -> Face:
        mesh, presence = self._run(pixels, *_around(mesh))
        if presence < self._least_presence:
            raise FaceRefused(
                "no_face", "No face is visible where one was expected.", "Use a clear, unobstructed face."
            )
        pose = head_pose(mesh)
        return Face(mesh=mesh, presence=presence, pose=pose.angles, width=pose.width, score=score)

    def _run(self, pixels: Pixels, centre: NDArray[np.floating[Any]], side: float, roll: float) -> tuple[Floats, float]:
        """One pass on a turned square. Returns the mesh in picture pixels and the presence 0..1."""
        side = max(side, 1.0)
        affine = square(centre, side, roll, _SIDE)
        tensor = to_input([crop(pixels, affine, _SIDE)], 1 / 255)
        points, logit = self._session.run(self._outputs, {"input_1": tensor})
        raw = points.reshape(468, 3)
        plane = apply(invert(affine), raw[:, :2])
        mesh = np.concatenate([plane, raw[:, 2:] * np.float32(side / _SIDE)], axis=1).astype(np.float32)
        return mesh, float(1 / (1 + np.exp(-np.clip(logit.reshape(-1)[0], -50, 50))))


def _around(mesh: Floats) -> tuple[NDArray[np.floating[Any]], float, float]:
    """Centre, side and roll of the upright square about a mesh, with the network's margin."""
    eyes = mesh[_LEFT_EYE, :2] - mesh[_RIGHT_EYE, :2]
    roll = float(np.arctan2(eyes[1], eyes[0]))
    c, s = np.cos(roll), np.sin(roll)
    turn = np.array([[c, s], [-s, c]], np.float32)
    upright = mesh[:, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    return ((low + high) / 2) @ turn, _MARGIN * float((high - low).max()), roll
