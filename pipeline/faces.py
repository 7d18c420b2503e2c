"""What the pipeline knows about a face, and the five replaceable stages as typed protocols.

Pictures are BGR uint8 arrays of shape HxWx3 (OpenCV order). Coordinates are pixels, x right, y down, with (0, 0)
the corner of the first pixel; z points away from the camera in the same unit as x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's finding: `score` 0..1, `box` float32 (4,) x0 y0 x1 y1, `keypoints` float32 (k, 2).

    The first two keypoints are the eyes, image-left first; they give the roll of the face.
    """

    score: float
    box: Floats
    keypoints: Floats


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees. Positive yaw looks to the image's right, positive pitch up, positive roll clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Face:
    """One located face.

    `mesh` is float32 (468, 3) in the MediaPipe face-mesh order; `presence` 0..1 is the landmark model's belief that
    there is a face at all; `width` is the ear-to-ear width of the unturned head in pixels; `score` the detector's.
    `points` float32 (5, 2) are the eyes, the nose and the mouth's corners, image-left first, where a model predicted
    them itself; without it they are read off the mesh (`pipeline.align.five_points`).
    """

    mesh: Floats
    presence: float
    pose: Pose
    width: float
    score: float
    points: Floats | None = None

    @property
    def box(self) -> Floats:
        """The mesh's bounding box, float32 (4,) x0 y0 x1 y1."""
        low, high = self.mesh[:, :2].min(axis=0), self.mesh[:, :2].max(axis=0)
        return np.concatenate([low, high]).astype(np.float32)


class FaceDetector(Protocol):
    """Finds faces."""

    name: str
    digests: tuple[str, ...]

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces in the picture, best score first, overlapping findings suppressed."""


class FaceLandmarker(Protocol):
    """Lays the 468-point mesh on a detected face."""

    name: str
    digests: tuple[str, ...]

    def locate(self, pixels: Pixels, detection: Detection) -> Face:
        """Return the face at the detection; raise `FaceRefused('no_face')` where the model denies its presence."""


class FaceEmbedder(Protocol):
    """Turns a located face into an identity embedding."""

    name: str
    digests: tuple[str, ...]

    def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats:
        """Return float32 (len(faces), d); Euclidean distance between rows measures how unlike two people are."""


class FaceSwapper(Protocol):
    """Puts a source identity onto a target face."""

    name: str
    digests: tuple[str, ...]

    def enrol(self, photos: Sequence[tuple[Pixels, Face]]) -> Any:
        """Prepare an identity from one or more photos of the same person; the result is opaque to the caller."""

    def swap(self, pixels: Pixels, face: Face, identity: Any) -> SwappedRegion:
        """Render the identity on the face. The input picture is not changed."""


class FaceEnhancer(Protocol):
    """Improves a swapped region: detail, grain, restoration."""

    name: str
    digests: tuple[str, ...]

    def enhance(self, region: SwappedRegion, pixels: Pixels, face: Face) -> SwappedRegion:
        """Return the region improved; `pixels` is the untouched target picture for reference."""


@dataclass(frozen=True, slots=True)
class SwappedRegion:
    """The rectangle of the picture that a swap changes, before it is pasted back.

    `x`, `y` are the top-left pixel of the rectangle; `pixels` uint8 (h, w, 3) BGR is the new content; `weight`
    float32 (h, w) 0..1 says how much of it is shown; `base` uint8 (h, w, 3) is what it is blended with (the target's
    own pixels, warped where the outline of the face changed). Outside the rectangle the picture stays as it was.
    """

    x: int
    y: int
    pixels: Pixels
    weight: Floats
    base: Pixels
