"""Marking pictures and reading the marks: what comes back, what is refused, what does not depend on chance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.watermark import (
    MIN_SIDE,
    STRONG,
    NotFinite,
    NotReadable,
    PictureInvalid,
    PictureTooFlat,
    PictureTooSmall,
    Watermarker,
    WatermarkError,
    embedding,
)
from provenance.watermark import (
    watermarker as watermarker_module,
)
from tests.provenance.pictures import IDENT, KEY, Pixels, bgr

# Hypothesis runs a test many times with one fixture, so these two are shared outright.
_SHARED = Watermarker(KEY)
_CAT = bgr(skimage.data.chelsea())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**48 - 1))
def test_any_id_comes_back(ident: int) -> None:
    marked = _SHARED.embed(_CAT, ident)
    reading = _SHARED.read(marked.pixels)
    assert reading is not None
    assert (reading.ident, reading.confidence > 0.9) == (ident, True)


@settings(max_examples=12, deadline=None)
@given(st.integers(MIN_SIDE, 420), st.integers(MIN_SIDE, 420), st.integers(0, 2**32 - 1))
def test_any_size_is_marked_and_read_or_refused_with_a_reason(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 7, 3), np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    before = pixels.copy()
    marked = _SHARED.embed(pixels, IDENT)
    assert (pixels == before).all()
    assert marked.pixels.shape == pixels.shape
    assert marked.pixels.dtype == np.uint8
    reading = _SHARED.read(marked.pixels)
    assert reading is not None
    assert reading.ident == IDENT


def test_the_mark_is_the_same_every_time(watermarker: Watermarker, picture: Pixels) -> None:
    again = Watermarker(KEY).embed(picture, IDENT)
    assert (watermarker.embed(picture, IDENT).pixels == again.pixels).all()


def test_one_watermarker_serves_many_threads(watermarker: Watermarker, picture: Pixels) -> None:
    idents = range(8)
    with ThreadPoolExecutor(4) as pool:
        marked = list(pool.map(lambda ident: watermarker.embed(picture, ident).pixels, idents))
        read = list(pool.map(watermarker.read, marked))
    assert [reading.ident if reading else None for reading in read] == list(idents)


def test_keys_give_different_marks_that_only_their_key_reads(picture: Pixels, watermarker: Watermarker) -> None:
    other = Watermarker(b"some other key of 32 bytes length")
    ours, theirs = watermarker.embed(picture, IDENT).pixels, other.embed(picture, IDENT).pixels
    difference = ours.astype(int) - picture, theirs.astype(int) - picture
    assert abs(np.corrcoef(difference[0].ravel(), difference[1].ravel())[0, 1]) < 0.2
    assert watermarker.read(theirs) is None
    assert other.read(ours) is None


def test_a_second_mark_does_not_turn_into_a_wrong_id(picture: Pixels, watermarker: Watermarker) -> None:
    twice = watermarker.embed(watermarker.embed(picture, 1).pixels, 2).pixels
    reading = watermarker.read(twice)
    assert reading is None or reading.ident in {1, 2}


def test_confidence_falls_with_damage(picture: Pixels, watermarker: Watermarker) -> None:
    marked = watermarker.embed(picture, IDENT).pixels
    noise = np.random.default_rng(3).normal(0, 45, marked.shape)
    damaged = np.clip(marked + noise, 0, 255).astype(np.uint8)
    clean, noisy = watermarker.read(marked), watermarker.read(damaged)
    assert clean is not None
    assert noisy is not None
    assert 0.3 < noisy.confidence < clean.confidence <= 1.0


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Watermarker(b"short")


@pytest.mark.parametrize("shape", [(1, 1, 3), (MIN_SIDE - 1, 900, 3), (900, 40, 3)])
def test_a_small_picture_is_refused(watermarker: Watermarker, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with pytest.raises(PictureTooSmall) as refused:
        watermarker.embed(pixels, IDENT)
    assert (refused.value.code, "160 pixels" in refused.value.hint) == ("picture_too_small", True)
    assert watermarker.read(pixels) is None


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_picture_of_one_colour_is_refused(watermarker: Watermarker, value: int) -> None:
    pixels = np.full((300, 400, 3), value, np.uint8)
    with pytest.raises(PictureTooFlat) as refused:
        watermarker.embed(pixels, IDENT)
    assert refused.value.code == "picture_too_flat"
    assert watermarker.read(pixels) is None


def test_a_burnt_out_picture_is_refused_or_readable(watermarker: Watermarker) -> None:
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[140:160, 180:220] = 0
    try:
        marked = watermarker.embed(pixels, IDENT)
    except PictureTooFlat:
        return
    reading = watermarker.read(marked.pixels)
    assert reading is not None
    assert reading.ident == IDENT


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((300, 300), np.uint8),
        np.zeros((300, 300, 4), np.uint8),
        np.zeros((300, 300, 3), np.float32),
        np.zeros((0, 300, 3), np.uint8),
    ],
)
def test_what_is_no_bgr_picture_is_refused(watermarker: Watermarker, pixels: Pixels) -> None:
    with pytest.raises(PictureInvalid):
        watermarker.embed(pixels, IDENT)
    with pytest.raises(PictureInvalid):
        watermarker.read(pixels)


def test_a_value_that_is_not_finite_is_an_error_not_an_unmarked_picture(
    watermarker: Watermarker, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(scaled: np.ndarray) -> np.ndarray:
        mask = np.ones_like(scaled)
        mask[3, 3] = np.nan
        return mask

    monkeypatch.setattr(embedding, "perceptual_mask", broken)
    with np.errstate(all="ignore"), pytest.raises(NotFinite):
        watermarker.embed(picture, IDENT)


def test_a_mark_that_is_not_there_is_tried_stronger_once_and_then_refused(
    watermarker: Watermarker, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def weak(lattice: object, scaled: np.ndarray, symbols: object, strength: object, side: int) -> np.ndarray:
        tried.append(strength)
        return np.zeros_like(scaled)

    monkeypatch.setattr(watermarker_module, "embed_residual", weak)
    with pytest.raises(NotReadable):
        watermarker.embed(picture, IDENT)
    assert len(tried) == 2
    assert tried[1] is STRONG


def test_every_refusal_has_a_code_and_a_hint() -> None:
    for kind in WatermarkError.__subclasses__():
        assert kind.code != WatermarkError.code
        assert kind.hint


@pytest.mark.parametrize("shape", [(1, 3000, 3), (3000, 1, 3), (2, 2, 3), (64, 5000, 3)])
def test_reading_odd_shapes_gives_nothing_and_no_error(watermarker: Watermarker, shape: tuple[int, int, int]) -> None:
    assert watermarker.read(np.random.default_rng(0).integers(0, 256, shape, np.uint8)) is None
