"""How far a swapped face strays from the target: pose, expression, and the border's gradients and colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from pipeline.faces import Face, Floats, Pixels
from pipeline.mesh.geometry import fit_similarity
from pipeline.mesh.indices import INNER_LIPS, LEFT_EYE, OUTER_LIPS, OVAL, RIGHT_EYE
from pipeline.mesh.topology import shipped_topology
from pipeline.pose import head_pose

EXPRESSIVE = (RIGHT_EYE, LEFT_EYE, (*OUTER_LIPS, *INNER_LIPS))
CORNERS = [RIGHT_EYE[0], LEFT_EYE[0]]  # the outer ones
BORDER = 0.06  # half the border's width, face widths: to both sides of the oval
SMOOTH = 0.012  # what gradients and colours are smoothed by, face widths: pores and hairs are no seam


def pose_error(result: Face, target: Face) -> float:
    """Degrees of the one rotation that takes the target's head to the result's."""
    turn = head_pose(result.mesh).rotation @ head_pose(target.mesh).rotation.T
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def expression_error(result: Face, target: Face) -> float:
    """The mean distance between the landmarks of eyes and lips, over the outer-eye distance.

    Pose is removed by fitting the mean head, and identity by bringing each feature to the same place and size: what
    remains is how wide eyes and mouth are open and how the lips are drawn.
    """
    ours, theirs = _front_view(result), _front_view(target)
    apart = float(np.linalg.norm(theirs[CORNERS[0]] - theirs[CORNERS[1]]))
    gaps = [_shape_gap(ours[list(loop)], theirs[list(loop)]) for loop in EXPRESSIVE]
    return float(np.concatenate(gaps).mean()) / apart


def _front_view(face: Face) -> Floats:
    """The landmarks (468, 2) centimetres, seen from straight ahead."""
    topology = shipped_topology()
    return fit_similarity(topology.shape, face.mesh, topology.stiffness).to_model(face.mesh)[:, :2]


def _shape_gap(ours: Floats, theirs: Floats) -> Floats:
    """Distances (n,) between two outlines once one has been moved and scaled onto the other."""
    a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    scale = np.sqrt((b**2).sum() / max(float((a**2).sum()), 1e-12))
    return np.asarray(np.linalg.norm(a * scale - b, axis=1), dtype=np.float32)


def seam_ratio(result: Pixels, target: Pixels, face: Face) -> float:
    """The mean gradient of lightness along the face's border, over that of the untouched target; 1 is no seam."""
    band, _ = _bands(face, target.shape[:2])
    ours, theirs = (_gradient(picture, face)[band].mean() for picture in (result, target))
    return float(ours / max(float(theirs), 1e-3))


def ring_delta_e(result: Pixels, target: Pixels, face: Face) -> float:
    """The mean CIEDE2000 difference between result and target just inside the face's border."""
    _, inner = _bands(face, target.shape[:2])
    ours, theirs = (_lab(picture, 2 * SMOOTH * face.width)[inner] for picture in (result, target))
    return float(deltaE_ciede2000(ours, theirs).mean())


def _bands(face: Face, size: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The border on both sides of the oval, and its inner half, bool (h, w)."""
    oval = np.zeros(size, np.uint8)
    cv2.fillPoly(oval, [np.round(face.mesh[list(OVAL), :2]).astype(np.int32)], 1)
    reach = max(2, round(BORDER * face.width))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside, around = cv2.erode(oval, kernel) > 0, cv2.dilate(oval, kernel) > 0
    return around & ~inside, (oval > 0) & ~inside


def _gradient(pixels: Pixels, face: Face) -> Floats:
    light = _lab(pixels, SMOOTH * face.width)[..., 0]
    magnitude: Floats = cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    return magnitude


def _lab(pixels: Pixels, sigma: float) -> Floats:
    smooth = cv2.GaussianBlur(pixels.astype(np.float32) / np.float32(255), (0, 0), max(sigma, 0.5))
    lab: Floats = cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB)
    return lab
