from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mesh.raster import back_to_front, evaluate, look_up, paint, texel_centres, triangle_maps

SQUARE = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], np.float32)
HALVES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_later_triangles_cover_earlier_ones() -> None:
    same = np.array([[0, 1, 2], [0, 1, 2]], np.int32)
    assert paint(SQUARE, same, np.array([0, 1], np.int32), (8, 8)).max() == 1
    assert set(np.unique(paint(SQUARE, same, np.array([1, 0], np.int32), (8, 8)))) == {-1, 0}


def test_the_farthest_triangle_is_drawn_first() -> None:
    depth = np.array([0, 0, 0, 9], np.float32)
    assert back_to_front(depth, HALVES).tolist() == [1, 0]


@given(st.tuples(*[st.floats(-3, 3) for _ in range(6)]))
def test_an_affine_map_is_carried_exactly_over_the_triangles(row: tuple[float, ...]) -> None:
    a, b, c, d, e, f = row
    values = np.stack([a * SQUARE[:, 0] + b * SQUARE[:, 1] + c, d * SQUARE[:, 0] + e * SQUARE[:, 1] + f], axis=1)
    numbers = paint(SQUARE, HALVES, np.array([0, 1], np.int32), (8, 8))
    centres = texel_centres(8)
    got = evaluate(numbers, triangle_maps(SQUARE, values.astype(np.float32), HALVES), centres, centres, -99)
    x, y = np.meshgrid(centres, centres)
    assert (numbers >= 0).all()
    assert got[..., 0] == pytest.approx(a * x + b * y + c, abs=1e-3)
    assert got[..., 1] == pytest.approx(d * x + e * y + f, abs=1e-3)


def test_a_sliver_takes_the_value_of_its_middle() -> None:
    thin = np.array([[0, 0], [8, 0.1], [4, 0.2]], np.float32)
    values = np.array([[0, 0], [90, 0], [0, 30]], np.float32)
    (row,) = triangle_maps(thin, values, np.array([[0, 1, 2]], np.int32))
    assert row.tolist() == pytest.approx([0, 0, 30, 0, 0, 10])


def test_pixels_of_no_triangle_get_the_outside_value() -> None:
    numbers = np.full((2, 2), -1, np.int32)
    maps = triangle_maps(SQUARE, SQUARE, HALVES)
    assert (evaluate(numbers, maps, texel_centres(2), texel_centres(2), -7) == -7).all()


def test_looking_up_pixel_centres_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    x, y = np.meshgrid(texel_centres(9), texel_centres(6))
    assert np.array_equal(look_up(picture, np.dstack([x, y])), picture)
