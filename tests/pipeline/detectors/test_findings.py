"""Suppression and letterbox, whatever the boxes and pictures are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.detectors.findings import anchors, letterbox, suppress
from tests.pipeline.small_graphs import flat_picture

corners = arrays(np.float32, st.tuples(st.integers(0, 30), st.just(2)), elements=st.floats(0, 100, width=32))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    common = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))


@given(corners, st.floats(0.05, 0.95))
def test_no_two_kept_boxes_overlap_and_every_dropped_one_overlaps_a_better_one(low: np.ndarray, most: float) -> None:
    boxes = np.concatenate([low, low + 20 + low[:, ::-1] / 4], axis=1)
    kept = suppress(boxes, most).tolist()
    assert all(overlap(boxes[i], boxes[j]) <= most + 1e-5 for i in kept for j in kept if i < j)
    for i in set(range(len(boxes))) - set(kept):
        assert any(j < i and overlap(boxes[i], boxes[j]) > most - 1e-5 for j in kept)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([32, 64, 160]))
def test_a_letterboxed_picture_fills_one_side_and_leaves_the_rest_black(height: int, width: int, side: int) -> None:
    canvas, ratio = letterbox(flat_picture(height, width, (9, 99, 199)), side)
    high, wide = round(height / ratio[1]), round(width / ratio[0])
    assert max(high, wide) == side
    assert (canvas[:high, :wide] == (9, 99, 199)).all()
    assert not canvas[high:].any()
    assert not canvas[:, wide:].any()


def test_anchors_run_along_the_rows() -> None:
    assert anchors(32, 16, 2).tolist() == [[0, 0], [0, 0], [16, 0], [16, 0], [0, 16], [0, 16], [16, 16], [16, 16]]
