from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.bench.measures import expression_error, pose_error, ring_delta_e, seam_ratio
from pipeline.faces import Face, Floats
from pipeline.mesh.indices import INNER_LIPS, OUTER_LIPS, OVAL
from tests.pipeline.mesh.heads import face_on, mesh_at, painted

SKIN = (150, 180, 220)


def head(mesh: Floats | None = None) -> Face:
    return face_on(mesh_at(200, 200, 240) if mesh is None else mesh, 240)


def test_a_face_strays_nowhere_from_itself() -> None:
    picture = painted((400, 400), head().mesh, SKIN)
    assert pose_error(head(), head()) == pytest.approx(0, abs=0.1)
    assert expression_error(head(), head()) == pytest.approx(0, abs=1e-5)
    assert seam_ratio(picture, picture, head()) == 1
    assert ring_delta_e(picture, picture, head()) == 0


def test_a_turn_counts_in_degrees_and_is_no_expression() -> None:
    turned = head(mesh_at(190, 210, 200, yaw=12))
    assert pose_error(turned, head()) == pytest.approx(12, abs=0.5)
    assert expression_error(turned, head()) < 1e-3


def test_an_opened_mouth_is_expression_and_a_mouth_in_another_place_is_not() -> None:
    opened, moved = (head(mesh_at(200, 200, 240)) for _ in range(2))
    opened.mesh[list(INNER_LIPS), 1] += np.where(np.arange(len(INNER_LIPS)) < 10, 12, -2)
    moved.mesh[[*OUTER_LIPS, *INNER_LIPS], 1] += 8
    assert expression_error(opened, head()) > 0.01
    assert expression_error(moved, head()) < 2e-3


def test_a_hard_edge_along_the_oval_is_seen_in_gradient_and_colour() -> None:
    picture = painted((400, 400), head().mesh, SKIN)
    pasted = picture.copy()
    inner = head().mesh[list(OVAL), :2] * 0.96 + head().mesh[list(OVAL), :2].mean(axis=0) * 0.04
    cv2.fillPoly(pasted, [np.round(inner).astype(np.int32)], (90, 90, 150))
    assert seam_ratio(pasted, picture, head()) > 1.05
    assert ring_delta_e(pasted, picture, head()) > 5
