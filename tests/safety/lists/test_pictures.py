"""A listed picture is recognised in its copies, and other pictures are not taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from pipeline.faces import Pixels
from safety.lists.pictures import (
    PictureIndex,
    PictureTooPlain,
    hashes_to_list,
    hashes_to_look_up,
)
from tests.safety.samples import GREY


def _copy(pixels: Pixels, kind: str) -> Pixels:
    height, width = pixels.shape[:2]
    if kind == "jpeg":
        return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1), np.uint8)
    if kind == "half":
        return np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    if kind == "mirrored":
        return np.ascontiguousarray(pixels[:, ::-1])
    if kind == "brighter":
        return np.asarray(cv2.convertScaleAbs(pixels, alpha=1.15, beta=10), np.uint8)
    if kind == "cropped":
        top, left = height // 20, width // 20
        return np.ascontiguousarray(pixels[top : height - top, left : width - left])
    return pixels


@pytest.fixture(scope="module")
def index(astronaut: Pixels) -> PictureIndex:
    rows = hashes_to_list(astronaut)
    return PictureIndex(["astronaut"] * len(rows), rows)


@pytest.mark.parametrize("kind", ["itself", "jpeg", "half", "mirrored", "brighter", "cropped"])
def test_a_copy_is_recognised(kind: str, index: PictureIndex, astronaut: Pixels) -> None:
    found = index.nearest(hashes_to_look_up(_copy(astronaut, kind)))
    assert found.entry == "astronaut"
    assert found.distance <= 31


@pytest.mark.parametrize("name", ["coffee", "cat", "rocket"])
def test_another_picture_is_not(name: str, index: PictureIndex) -> None:
    pixels = np.ascontiguousarray(getattr(skimage.data, name)()[..., ::-1])
    assert index.nearest(hashes_to_look_up(pixels)).distance > 60


def test_other_lists_do_not_count(astronaut: Pixels) -> None:
    rows = hashes_to_list(astronaut)
    index = PictureIndex(["astronaut"] * len(rows), rows, np.full(len(rows), 3, np.int32))
    assert index.nearest(rows[:1], {3}).distance == 0
    assert index.nearest(rows[:1], {2}).distance == 256
    assert index.nearest(rows[:1], {2}).size == 0


def test_a_plain_picture_cannot_be_listed() -> None:
    with pytest.raises(PictureTooPlain):
        hashes_to_list(GREY)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (900, 2, 3)])
def test_odd_shapes_have_hashes(shape: tuple[int, ...]) -> None:
    assert hashes_to_look_up(np.zeros(shape, np.uint8)).shape == (3, 32)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="256 bits"):
        PictureIndex(["a"], np.zeros((1, 16), np.uint8))
    with pytest.raises(ValueError, match="256 bits"):
        PictureIndex([], np.zeros((0, 32), np.uint8)).nearest(np.zeros((0, 32), np.uint8))
