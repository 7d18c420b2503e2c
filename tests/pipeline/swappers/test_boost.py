"""Pixel boost: phases are interleaved and stitched back without loss."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.swappers.boost import split, stitch


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 9))
def test_stitching_is_the_inverse_of_splitting(boost: int, side: int, seed: int) -> None:
    size = boost * side
    crop = np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)
    phases = split(crop, boost)
    assert len(phases) == boost**2
    assert all(phase.shape == (side, side, 3) for phase in phases)
    assert (stitch(phases) == crop).all()


def test_each_phase_sees_every_other_pixel() -> None:
    crop = np.arange(4 * 4, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
    assert [phase[..., 0].tolist() for phase in split(crop, 2)] == [
        [[0, 2], [8, 10]],
        [[1, 3], [9, 11]],
        [[4, 6], [12, 14]],
        [[5, 7], [13, 15]],
    ]
