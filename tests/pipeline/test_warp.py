"""Crops: where pixels land, and that shrinking averages instead of skipping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import warp


def test_the_identity_crop_is_the_picture_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    affine = warp.square(np.float32([16, 16]), 32, 0, 32)
    assert np.array_equal(warp.crop(pixels, affine, 32), pixels)


def test_a_fine_chequerboard_shrinks_to_grey_not_to_stripes() -> None:
    board = np.indices((1200, 1200)).sum(axis=0) % 2 * 255
    pixels = np.dstack([board] * 3).astype(np.uint8)
    small = warp.crop(pixels, warp.square(np.float32([600, 600]), 1190, 0.1, 100), 100)
    assert np.all(np.abs(small.astype(int) - 127) <= 3)


@pytest.mark.parametrize("side", [300.0, 40.0])
def test_a_dot_lands_where_the_map_says(side: float) -> None:
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[196:204, 206:214] = 255
    affine = warp.square(np.float32([200, 200]), side, 0.3, 80)
    found = np.argwhere(warp.crop(pixels, affine, 80)[..., 0] > 100).mean(axis=0)[::-1] + 0.5
    assert np.allclose(found, warp.apply(affine, np.float32([[210, 200]]))[0], atol=0.5)


@given(x=st.floats(-300, 300), y=st.floats(-300, 300), side=st.floats(1, 2000), roll=st.floats(-4, 4))
def test_inverting_a_map_undoes_it_and_any_square_can_be_cropped(x: float, y: float, side: float, roll: float) -> None:
    affine = warp.square(np.float32([x, y]), side, roll, 64)
    points = np.float32([[0, 0], [64, 10], [-5, 70]])
    assert np.allclose(warp.apply(affine, warp.apply(warp.invert(affine), points)), points, atol=0.05)
    assert warp.crop(np.zeros((50, 80, 3), np.uint8), affine, 64).shape == (64, 64, 3)
