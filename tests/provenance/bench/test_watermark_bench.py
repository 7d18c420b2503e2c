"""The watermark bench: its attacks do what they say, and its figures count what was read."""

from __future__ import annotations

import json

import numpy as np
import pytest
import skimage.data

from provenance.bench import ATTACKS, WatermarkBench
from provenance.bench.shapes import cropped, cropped_at_corner
from provenance.watermark import Watermarker
from tests.provenance.pictures import KEY, Pixels, bgr

_CAT = bgr(skimage.data.chelsea())


def _unchanged(pixels: Pixels) -> Pixels:
    return pixels


def _erased(pixels: Pixels) -> Pixels:
    return np.full_like(pixels, 127)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_every_attack_gives_a_picture_and_leaves_its_own_alone(name: str) -> None:
    before = _CAT.copy()
    damaged = ATTACKS[name](_CAT)
    assert (damaged.dtype, damaged.ndim, damaged.shape[2]) == (np.dtype(np.uint8), 3, 3)
    assert (before == _CAT).all()
    assert name == "none" or damaged.shape != _CAT.shape or (damaged != _CAT).any()


def test_crops_cut_off_the_share_that_they_name() -> None:
    assert cropped(0.2)(_CAT).shape[:2] == (240, 361)
    assert cropped_at_corner(0.2)(_CAT).shape[:2] == (240, 361)
    assert ATTACKS["crop_to_40_area"](_CAT)[..., 0].size == pytest.approx(0.4 * _CAT[..., 0].size, rel=0.02)


def test_the_figures_count_what_was_read() -> None:
    bench = WatermarkBench(Watermarker(KEY), {"none": _unchanged, "erased": _erased}, unmarked_crops=1)
    bench.add("cat", _CAT)
    bench.add("grey", _erased(_CAT))
    figures = json.loads(json.dumps(bench.finish().to_json()))
    assert figures["attacks"] == {"none": {"n": 1, "exact": 1}, "erased": {"n": 1, "exact": 0}}
    assert figures["missed"] == {"cat": ["erased"]}
    assert figures["refused"] == {"grey": "picture_too_flat"}
    assert (figures["false_accepts"], figures["unmarked"], figures["video_ms_per_frame"]) == (0, 2, None)
    assert figures["psnr_min"] == figures["psnr_median"] > 38
    assert figures["ssim_median"] > 0.97


def test_times_are_taken_at_full_hd() -> None:
    bench = WatermarkBench(Watermarker(KEY), {})
    bench.time(_CAT)
    assert bench.figures.embed_ms is not None
    assert bench.figures.read_ms is not None
    assert bench.figures.embed_ms > bench.figures.read_ms > 0
