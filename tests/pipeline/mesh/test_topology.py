from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.mesh.indices import LOOPS, OVAL, VERTICES
from pipeline.mesh.topology import Topology, shipped_topology


@pytest.fixture(scope="module")
def topology() -> Topology:
    return shipped_topology()


def edges(topology: Topology) -> Counter[tuple[int, int]]:
    rows = topology.triangles.tolist()
    return Counter((min(a, b), max(a, b)) for t in rows for a, b in zip(t, (*t[1:], t[0]), strict=True))


def signed_areas(topology: Topology) -> np.ndarray:
    a, b, c = (topology.uv[topology.triangles[:, k]].astype(np.float64) for k in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def test_it_is_one_disc_bounded_by_the_face_oval(topology: Topology) -> None:
    uses = edges(topology)
    rim = {edge for edge, count in uses.items() if count == 1}
    assert set(uses.values()) == {1, 2}
    assert len(topology.triangles) == 898
    assert set(topology.triangles.ravel().tolist()) == set(range(VERTICES))
    assert VERTICES - len(uses) + len(topology.triangles) == 1  # Euler's characteristic of a disc
    assert rim == {(min(a, b), max(a, b)) for a, b in zip(OVAL, (*OVAL[1:], OVAL[0]), strict=True)}


def test_no_triangle_is_flipped_or_degenerate_in_the_layout(topology: Topology) -> None:
    areas = signed_areas(topology)
    assert np.sign(areas).min() == np.sign(areas).max()
    assert np.abs(areas).min() > 1e-6


def test_the_layout_lies_in_the_unit_square(topology: Topology) -> None:
    assert topology.uv.min() > 0
    assert topology.uv.max() < 1


def test_the_mirror_map_undoes_itself_and_mirrors_shape_layout_and_triangles(topology: Topology) -> None:
    mirror = topology.mirror
    assert np.array_equal(mirror[mirror], np.arange(VERTICES))
    assert topology.shape[mirror] * [-1, 1, 1] == pytest.approx(topology.shape, abs=1e-3)
    assert 1 - topology.uv[mirror, 0] == pytest.approx(topology.uv[:, 0], abs=1e-4)
    assert topology.uv[mirror, 1] == pytest.approx(topology.uv[:, 1], abs=1e-4)
    triangles = {frozenset(t) for t in topology.triangles.tolist()}
    assert {frozenset(mirror[list(t)].tolist()) for t in triangles} == triangles


@pytest.mark.parametrize("loop", LOOPS)
def test_every_feature_loop_runs_along_edges(topology: Topology, loop: tuple[int, ...]) -> None:
    present = edges(topology)
    for a, b in zip(loop, (*loop[1:], loop[0]), strict=True):
        assert (min(a, b), max(a, b)) in present


def test_the_lips_move_more_than_the_nose(topology: Topology) -> None:
    assert topology.stiffness.sum() == pytest.approx(1, abs=1e-4)
    assert topology.stiffness[[6, 197, 195]].min() > 2 * topology.stiffness[[61, 291, 13, 14]].max()


def test_the_lips_are_parted_in_the_layout(topology: Topology) -> None:
    assert topology.uv[14, 1] - topology.uv[13, 1] > 0.02
