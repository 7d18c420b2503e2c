from __future__ import annotations

import numpy as np
import pytest

from pipeline.mesh.derive_topology import derive, main
from pipeline.mesh.indices import LOWER_LIP, OVAL
from pipeline.mesh.topology import shipped_topology
from pipeline.mesh.triangulate import constrained_delaunay


def crowd(count: int) -> np.ndarray:
    """Meshes of people who differ a little, in different places, sizes and turns, some with the mouth open."""
    generator = np.random.default_rng(4)
    shape = shipped_topology().shape.astype(np.float64)
    meshes = []
    for index in range(count):
        person = shape + generator.normal(0, 0.03, shape.shape)
        person[LOWER_LIP:18, 1] += 1.5 * (index % 3 == 0)
        angle = np.radians(generator.uniform(-15, 15))
        c, s = np.cos(angle), np.sin(angle)
        turned = person @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        meshes.append(turned * generator.uniform(5, 30) + generator.uniform(100, 900, 3))
    return np.stack(meshes)


def test_the_table_is_found_again_from_faces_alone() -> None:
    shipped, table = shipped_topology(), derive(crowd(24))
    assert np.array_equal(table["mirror"], shipped.mirror)
    assert table["triangles"].shape == shipped.triangles.shape
    assert np.abs(table["shape"].astype(np.float32) - shipped.shape).max() < 0.9
    assert set(table) == {"shape", "uv", "triangles", "mirror", "stiffness"}


def test_deriving_twice_gives_the_same_table() -> None:
    one, two = derive(crowd(9)), derive(crowd(9))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_required_edge_is_kept_where_delaunay_would_not_have_it() -> None:
    wide = np.array([[0, 0], [4, -1], [8, 0], [4, 1]], np.float64)
    kept = constrained_delaunay(wide, [0, 1, 2, 3], [(0, 2)])
    assert {frozenset(t) for t in kept.tolist()} == {frozenset((0, 1, 2)), frozenset((0, 2, 3))}


def test_triangles_outside_the_boundary_are_left_out() -> None:
    notch = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], np.float64)
    triangles = constrained_delaunay(notch, range(5), [])
    assert len(triangles) == 3
    assert frozenset((2, 3, 4)) not in {frozenset(t) for t in triangles.tolist()}


def test_crossing_required_edges_are_refused() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    with pytest.raises(ValueError, match="cannot be forced"):
        constrained_delaunay(square, [0, 2, 1, 3], [])


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_oval_has_36_vertices() -> None:
    assert len(set(OVAL)) == 36
