"""2DFAN4: the crop it sees, its points in the picture, its belief that there is a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.align import five_of_68, five_points
from pipeline.errors import FaceRefused, ModelUnavailable
from pipeline.faces import Detection, Floats
from pipeline.landmarkers import FanLandmarker, lift_68
from pipeline.landmarkers.lift import _IBUG
from pipeline.runtime import OnnxRuntime
from tests.pipeline.small_graphs import Drawing, Shelf, face_at, flat_picture

FACE = face_at(128, 128, 150)
MARKS: Floats = np.stack([FACE.mesh[list(group), :2].mean(axis=0) for group in _IBUG])


def draw(shelf: Shelf, *, count: int = 68) -> None:
    """Always the same landmarks, of a face in the middle of the crop; the heat maps are the crop's red."""
    drawing = Drawing()
    marks = np.concatenate([MARKS[:count] / 4, np.ones((count, 1))], axis=1)[None]
    weights = np.tile([1.0, 0.0, 0.0], (count, 1))
    maps = drawing.look("input", weights, np.zeros(count), pool=4)
    points = drawing.add("Identity", drawing.constant(marks), name="landmarks")
    drawing.save(shelf.file("2dfan4"), {"input": (1, 3, 256, 256)}, [points, maps])


def detection(box: list[float], eyes: list[list[float]]) -> Detection:
    return Detection(0.9, np.array(box, np.float32), np.array(eyes, np.float32))


def test_points_are_found_where_the_crop_was_cut(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(600, 800, (0, 0, 255))
    # A box of 390 px: the crop is 256 / 195 as wide, 512 px, about (400, 300), so its pixel is two of the picture's.
    found = detection([205, 150, 595, 450], [[350, 280], [450, 280]])
    face = FanLandmarker(OnnxRuntime(), shelf).locate(picture, found)
    expected = MARKS * 2 + (400 - 256, 300 - 256)
    assert np.allclose(five_points(face), five_of_68(expected), atol=0.01)
    assert np.abs(face.mesh[:, :2] - (FACE.mesh[:, :2] * 2 + (144, 44))).max() < 1
    assert face.presence == 1
    assert face.score == 0.9


def test_a_turned_face_is_seen_upright(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(600, 800, (0, 0, 255))
    found = detection([305, 205, 500, 400], [[400, 250], [400, 350]])  # the eyes one above the other
    face = FanLandmarker(OnnxRuntime(), shelf).locate(picture, found)
    assert face.pose.roll == pytest.approx(90, abs=1)
    offsets = five_of_68(MARKS) - 128
    assert np.allclose(five_points(face), np.array([402.5, 302.5]) + offsets @ [[0, 1], [-1, 0]], atol=0.01)


def test_flat_heat_maps_are_no_face(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(300, 300, (255, 255, 0))
    with pytest.raises(FaceRefused) as refusal:
        FanLandmarker(OnnxRuntime(), shelf).locate(picture, detection([50, 50, 250, 250], [[100, 100], [200, 100]]))
    assert refusal.value.code == "no_face"


def test_a_model_of_another_scheme_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf, count=29)
    with pytest.raises(ModelUnavailable) as refusal:
        FanLandmarker(OnnxRuntime(), shelf).locate(
            flat_picture(90, 90, (0, 0, 255)), detection([9, 9, 80, 80], [[30, 30], [50, 30]])
        )
    assert refusal.value.code == "model_unfit"


def test_a_smile_in_the_landmarks_is_in_the_mesh() -> None:
    smiling = MARKS.copy()
    smiling[[48, 54]] += [[-6, -6], [6, -6]]
    mesh = lift_68(smiling)
    assert np.allclose(mesh[[61, 291], :2], smiling[[48, 54]], atol=0.5)
    assert np.abs(mesh[10] - lift_68(MARKS)[10]).max() < 1.5  # the forehead stays
