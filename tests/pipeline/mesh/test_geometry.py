from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mesh import MeshSettings
from pipeline.mesh.geometry import drawn_meshes, facing_camera, fit_similarity
from pipeline.mesh.indices import EYES, NOSE_TIP, OVAL
from pipeline.mesh.topology import shipped_topology
from tests.pipeline.mesh.heads import mesh_at

TOPOLOGY = shipped_topology()


@settings(max_examples=25)
@given(st.floats(-60, 60), st.floats(20, 900), st.floats(-500, 2000))
def test_the_pose_of_a_mesh_is_found_back(yaw: float, width: float, x: float) -> None:
    pose = fit_similarity(TOPOLOGY.shape, mesh_at(x, 100, width, yaw=yaw), TOPOLOGY.stiffness)
    assert pose.scale == pytest.approx(width / 15.33, rel=1e-3)
    assert np.degrees(np.arctan2(-pose.rotation[0, 2], pose.rotation[2, 2])) == pytest.approx(yaw, abs=0.1)
    assert np.linalg.det(pose.rotation) == pytest.approx(1, abs=1e-4)
    there = pose.to_picture(TOPOLOGY.shape)
    assert pose.to_model(there) == pytest.approx(TOPOLOGY.shape, abs=1e-2)


def test_a_source_of_the_same_shape_changes_nothing() -> None:
    mesh = mesh_at(200, 200, 180)
    placement = drawn_meshes(mesh, TOPOLOGY.shape, TOPOLOGY, MeshSettings())
    assert placement.after == pytest.approx(placement.before, abs=1e-2)


def test_a_wider_source_widens_the_inside_more_than_the_outline_and_leaves_the_ring() -> None:
    mesh = mesh_at(200, 200, 180)
    wider = TOPOLOGY.shape * np.array([1.2, 1, 1], np.float32)
    placement = drawn_meshes(mesh, wider, TOPOLOGY, MeshSettings())
    moved = np.abs(placement.after - placement.before)[:, 0]
    share = moved[:468] / np.maximum(np.abs(mesh[:, 0] - 200), 1)
    assert share[list(EYES[0])].mean() > 1.5 * share[list(OVAL)][np.abs(mesh[list(OVAL), 0] - 200) > 30].mean()
    assert (moved[468:] == 0).all()


def test_a_profile_keeps_its_own_shape() -> None:
    mesh = mesh_at(200, 200, 180, yaw=55)
    wider = TOPOLOGY.shape * np.array([1.2, 1, 1], np.float32)
    placement = drawn_meshes(mesh, wider, TOPOLOGY, MeshSettings())
    assert placement.after == pytest.approx(placement.before, abs=1e-3)


def test_the_nose_faces_the_camera_and_a_turned_cheek_does_not() -> None:
    ahead = facing_camera(mesh_at(0, 0, 100), TOPOLOGY)
    turned = facing_camera(mesh_at(0, 0, 100, yaw=50), TOPOLOGY)
    assert ahead[[NOSE_TIP, 9, 175]].min() > 0.5
    assert turned[454] < 0 < turned[234]
