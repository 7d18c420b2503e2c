from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipeline.enhance import DetailEnhancer
from pipeline.faces import Face, Pixels, SwappedRegion
from tests.pipeline.mesh.heads import face_on, mesh_at

FACE: Face = face_on(mesh_at(60, 60, 80), 80)


def skin(seed: int, blur: float, grain: float, side: int = 120) -> Pixels:
    generator = np.random.default_rng(seed)
    pores = cv2.GaussianBlur(generator.normal(0, 60, (side, side, 3)), (0, 0), 2.0)
    smooth = cv2.GaussianBlur(150 + pores, (0, 0), blur) if blur else 150 + pores
    noisy = smooth + generator.normal(0, grain, (side, side, 1))
    return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)


def region_of(drawn: Pixels, target: Pixels) -> SwappedRegion:
    return SwappedRegion(x=0, y=0, pixels=drawn, weight=np.ones(drawn.shape[:2], np.float32), base=target)


def detail(pixels: Pixels) -> float:
    return float(np.abs(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.CV_32F)).mean())


def test_a_face_too_crisp_for_its_picture_is_softened() -> None:
    drawn, target = skin(1, 0, 4), skin(2, 3, 0)
    enhanced = DetailEnhancer().enhance(region_of(drawn, target), target, FACE)
    assert detail(enhanced.pixels) < 0.7 * detail(drawn)


def test_a_face_too_smooth_for_its_picture_gets_grain() -> None:
    drawn, target = skin(1, 2, 0), skin(2, 2, 6)
    enhanced = DetailEnhancer().enhance(region_of(drawn, target), target, FACE)
    assert detail(enhanced.pixels) == pytest.approx(detail(target), rel=0.4)
    assert detail(drawn) < 0.5 * detail(target)


def test_a_face_that_fits_is_left_as_it_is() -> None:
    drawn, target = skin(1, 1, 2), skin(2, 1, 2)
    enhanced = DetailEnhancer().enhance(region_of(drawn, target), target, FACE)
    assert np.abs(enhanced.pixels.astype(int) - drawn).mean() < 2


def test_the_same_content_gets_the_same_grain() -> None:
    drawn, target = skin(1, 2, 0), skin(2, 2, 6)
    one, two = (DetailEnhancer().enhance(region_of(drawn, target), target, FACE) for _ in range(2))
    assert one.pixels.tobytes() == two.pixels.tobytes()


def test_only_the_pixels_change_and_neither_argument_does() -> None:
    drawn, target = skin(1, 2, 0), skin(2, 2, 6)
    region = region_of(drawn.copy(), target.copy())
    enhanced = DetailEnhancer().enhance(region, target, FACE)
    assert (enhanced.x, enhanced.y) == (region.x, region.y)
    assert enhanced.weight is region.weight
    assert enhanced.base is region.base
    assert np.array_equal(region.pixels, drawn)


def test_a_hidden_face_is_not_measured() -> None:
    drawn, target = skin(1, 2, 0), skin(2, 2, 6)
    hidden = replace(region_of(drawn, target), weight=np.zeros(drawn.shape[:2], np.float32))
    assert DetailEnhancer().enhance(hidden, target, FACE) is hidden
