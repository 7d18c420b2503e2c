"""A mesh fitted to few points: exact for the mean face, whatever its place, size and turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.align import FIVE_POINT_VERTICES, five_points
from pipeline.errors import ModelUnavailable
from pipeline.faces import Detection, Floats
from pipeline.landmarkers import KeypointLandmarker, lift_68, lift_five
from pipeline.landmarkers.lift import _IBUG
from pipeline.mesh.topology import shipped_topology
from pipeline.pose import head_pose
from tests.pipeline.small_graphs import face_at, flat_picture

turns = st.floats(-40, 40)


def turned(yaw: float, pitch: float, roll: float, scale: float) -> Floats:
    """The mean face, turned about all axes, in pixels about (300, 200)."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    shape = shipped_topology().shape.astype(np.float64)
    return (scale * shape @ (about_z @ about_x @ about_y).T + (300, 200, 0)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(turns, turns, turns, st.floats(1, 30))
def test_five_points_recover_the_turned_mean_face(yaw: float, pitch: float, roll: float, scale: float) -> None:
    mesh = turned(yaw, pitch, roll, scale)
    points = np.array([mesh[list(group), :2].mean(axis=0) for group in FIVE_POINT_VERTICES])
    assert np.abs(lift_five(points)[:, :2] - mesh[:, :2]).max() < 0.02 * scale


@settings(max_examples=30, deadline=None)
@given(turns, turns, turns, st.floats(1, 30))
def test_68_points_recover_the_turned_mean_face(yaw: float, pitch: float, roll: float, scale: float) -> None:
    mesh = turned(yaw, pitch, roll, scale)
    points = np.array([mesh[list(group), :2].mean(axis=0) for group in _IBUG])
    lifted = lift_68(points)
    assert np.abs(lifted[:, :2] - mesh[:, :2]).max() < 0.02 * scale
    assert head_pose(lifted).angles.yaw == pytest.approx(head_pose(mesh).angles.yaw, abs=0.5)


def test_a_real_face_is_recovered_from_68_of_its_points(astronaut_face: object) -> None:
    mesh = astronaut_face.mesh  # type: ignore[attr-defined]
    width = astronaut_face.width  # type: ignore[attr-defined]
    points = np.array([mesh[list(group), :2].mean(axis=0) for group in _IBUG])
    gaps = np.linalg.norm(lift_68(points)[:, :2] - mesh[:, :2], axis=1)
    assert gaps.mean() < 0.02 * width
    assert np.percentile(gaps, 95) < 0.05 * width


def test_a_detectors_five_points_make_a_face() -> None:
    points = five_points(face_at(200, 150, 100, roll=15))
    detection = Detection(0.8, np.array([150, 100, 250, 200], np.float32), points)
    face = KeypointLandmarker().locate(flat_picture(300, 400, (0, 0, 0)), detection)
    assert (five_points(face) == points).all()
    assert face.pose.roll == pytest.approx(15, abs=1)
    assert face.presence == face.score == 0.8
    assert face.mesh.shape == (468, 3)


def test_a_detector_of_other_keypoints_is_told_apart() -> None:
    detection = Detection(0.8, np.array([0, 0, 9, 9], np.float32), np.zeros((6, 2), np.float32))
    with pytest.raises(ModelUnavailable, match="eyes, nose and mouth corners") as refusal:
        KeypointLandmarker().locate(flat_picture(9, 9, (0, 0, 0)), detection)
    assert refusal.value.code == "stage_unfit"


def test_five_points_of_a_real_face_are_near_those_of_its_mesh(astronaut_face: object) -> None:
    lifted = lift_five(five_points(astronaut_face))  # type: ignore[arg-type]
    mesh, width = astronaut_face.mesh, astronaut_face.width  # type: ignore[attr-defined]
    assert np.linalg.norm(lifted[:, :2] - mesh[:, :2], axis=1).mean() < 0.08 * width
    assert head_pose(lifted).angles.yaw == pytest.approx(astronaut_face.pose.yaw, abs=12)  # type: ignore[attr-defined]
