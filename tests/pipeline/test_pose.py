"""Head pose: exact on the canonical head, equivariant under similarities, strict about its input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline import pose
from pipeline.faces import Floats


def canonical_mesh(yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 10) -> Floats:
    """The stiff vertices where they belong, everything else in the middle. Image axes, degrees."""
    turn = Rotation.from_euler("ZYX", [roll, -yaw, -pitch], degrees=True)
    # The head looks along -z. About the image's axes a positive turn moves that to -x and to +y (down).
    mesh = np.zeros((468, 3), np.float32)
    mesh[list(pose.STIFF_VERTICES)] = turn.apply(pose._CANONICAL) * scale + 300
    return mesh


angle = st.floats(-60, 60)


@given(yaw=angle, pitch=angle, roll=angle, scale=st.floats(0.5, 200))
def test_the_pose_of_a_turned_canonical_head_is_recovered(yaw: float, pitch: float, roll: float, scale: float) -> None:
    found = pose.head_pose(canonical_mesh(yaw, pitch, 0, scale))
    assert found.angles.yaw == pytest.approx(yaw, abs=0.05)
    assert found.angles.pitch == pytest.approx(pitch, abs=0.05)
    assert found.width == pytest.approx(15.5 * scale, rel=1e-3)
    assert found.residual < 1e-3
    assert pose.head_pose(canonical_mesh(0, 0, roll)).angles.roll == pytest.approx(roll, abs=0.05)


@given(roll=angle, scale=st.floats(0.2, 5), shift=st.floats(-500, 500), noise=st.integers(0, 99))
def test_turning_scaling_and_moving_the_picture_turns_scales_and_moves_the_pose(
    roll: float, scale: float, shift: float, noise: int
) -> None:
    mesh = canonical_mesh(15, -10, 5)
    mesh += np.random.default_rng(noise).normal(0, 2, mesh.shape).astype(np.float32)
    before = pose.head_pose(mesh)
    spin = Rotation.from_euler("Z", roll, degrees=True)
    after = pose.head_pose((spin.apply(mesh) * scale + shift).astype(np.float32))
    assert np.allclose(after.rotation, spin.as_matrix() @ before.rotation, atol=2e-3)
    assert after.width == pytest.approx(before.width * scale, rel=2e-3)
    assert after.residual == pytest.approx(before.residual, abs=2e-3)


def test_a_mirrored_mesh_is_never_fitted_with_a_reflection() -> None:
    mesh = canonical_mesh(20) * np.float32([-1, 1, 1])
    assert np.linalg.det(pose.head_pose(mesh).rotation) == pytest.approx(1)


@pytest.mark.parametrize("mesh", [np.zeros((467, 3)), np.zeros((468, 2)), np.full((468, 3), np.nan)])
def test_a_mesh_of_the_wrong_shape_or_without_numbers_is_an_error(mesh: Floats) -> None:
    with pytest.raises(ValueError, match="468x3"):
        pose.head_pose(mesh.astype(np.float32))
