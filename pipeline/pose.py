"""Head pose from the face mesh: which way the head looks, and how wide it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats, Pose

# Vertices that expression hardly moves (the forehead's middle line, nose, eye corners, temples), with their
# coordinates in centimetres in Google MediaPipe canonical face model (canonical_face_model.obj, Apache-2.0),
# x to the image's right, y up, z towards the camera.
_STIFF: dict[int, tuple[float, float, float]] = {
    10: (0.0, 8.261778, 4.481535),
    151: (0.0, 6.545390, 5.027311),
    9: (0.0, 4.885979, 5.385258),
    168: (0.0, 3.271027, 5.236015),
    6: (0.0, 2.473255, 5.788627),
    197: (0.0, 1.728369, 6.316750),
    195: (0.0, 1.059413, 6.774605),
    5: (0.0, 0.365669, 7.242870),
    4: (0.0, -0.463170, 7.586580),
    1: (0.0, -1.126865, 7.475604),
    2: (0.0, -2.089024, 6.058267),
    164: (0.0, -2.521945, 5.932265),
    33: (-4.445859, 2.663991, 3.173422),
    263: (4.445859, 2.663991, 3.173422),
    133: (-1.856432, 2.585245, 3.757904),
    362: (1.856432, 2.585245, 3.757904),
    127: (-7.743095, 2.364999, -2.005167),
    356: (7.743095, 2.364999, -2.005167),
    234: (-7.664182, 0.673132, -2.435867),
    454: (7.664182, 0.673132, -2.435867),
    103: (-5.133204, 7.485602, 2.660442),
    332: (5.133204, 7.485602, 2.660442),
}
STIFF_VERTICES: tuple[int, ...] = tuple(_STIFF)
"""Mesh indices of the vertices that the pose is fitted to."""

EAR_TO_EAR = 15.5
"""Width of the canonical head at the ears, cm: twice the x of vertex 127."""

_INDEX = np.array(STIFF_VERTICES)
_CANONICAL: NDArray[np.float64] = np.array(list(_STIFF.values())) * (
    1,
    -1,
    -1,
)  # to image axes: y down, z away
_CENTRED = _CANONICAL - _CANONICAL.mean(axis=0)
_SPREAD = float((_CENTRED**2).sum())


@dataclass(frozen=True)
class HeadPose:
    """A scaled rotation that lays the canonical head on the mesh.

    `rotation` is float64 (3, 3) from canonical to image axes, `scale` pixels for each centimetre, `width` the
    ear-to-ear width of the unturned head in pixels, `residual` the root mean square distance in the picture
    between fitted and seen vertices, in widths.
    """

    angles: Pose
    rotation: NDArray[np.float64]
    scale: float
    width: float
    residual: float


def head_pose(mesh: Floats) -> HeadPose:
    """Fit the canonical head to a mesh, float (468, 3) in pixels, by Procrustes of the stiff vertices.

    Yaw is positive where the face looks to the image's right, pitch where it looks up, roll where it is
    turned clockwise. Raises ValueError for a mesh of the wrong shape or with values that are not finite.
    """
    if mesh.shape != (468, 3) or not np.isfinite(mesh).all():
        raise ValueError("a mesh is 468x3 finite numbers")
    points = mesh[_INDEX].astype(np.float64)
    points -= points.mean(axis=0)
    u, spread, vt = np.linalg.svd(points.T @ _CENTRED)
    sign = np.array([1.0, 1.0, 1.0 if np.linalg.det(u @ vt) > 0 else -1.0])
    rotation = (u * sign) @ vt
    scale = float((spread * sign).sum() / _SPREAD)
    width = scale * EAR_TO_EAR
    gaps = scale * (_CENTRED @ rotation.T)[:, :2] - points[:, :2]
    residual = float(np.sqrt((gaps**2).sum(axis=1).mean())) / max(width, 1e-6)
    return HeadPose(_angles(rotation), rotation, scale, width, residual)


def _angles(rotation: NDArray[np.float64]) -> Pose:
    ahead = -rotation[:, 2]  # where the face looks, image axes
    return Pose(
        yaw=float(np.degrees(np.arctan2(ahead[0], -ahead[2]))),
        pitch=float(np.degrees(np.arcsin(np.clip(-ahead[1], -1, 1)))),
        roll=float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))),
    )
