"""YOLOv8-face: RGB in 0..1, a table of boxes in input pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.detectors import YoloFaceDetector
from pipeline.errors import ModelUnavailable
from pipeline.runtime import OnnxRuntime
from tests.pipeline.small_graphs import Drawing, Shelf, flat_picture

SIDE = 64
ROW = [32, 24, 16, 20, 0, *(28, 20, 0.9), *(36, 20, 0.9), *(32, 24, 0.9), *(29, 30, 0.9), *(35, 30, 0.9)]


def draw(shelf: Shelf, *, transposed: bool = False) -> None:
    """Every cell of 8 px proposes the same face; its score is the cell's mean red."""
    drawing = Drawing()
    weights = np.zeros((20, 3))
    weights[4] = (1, 0, 0)
    plane = drawing.look("images", weights, ROW, pool=8)
    table = drawing.add("Reshape", plane, drawing.ints(1, 20, -1))
    if transposed:
        table = drawing.add("Transpose", table, perm=[0, 2, 1])
    drawing.save(shelf.file("yolov8_face"), {"images": (1, 3, SIDE, SIDE)}, [table])


@pytest.mark.parametrize("transposed", [False, True])
def test_a_red_cell_makes_its_row_a_face(tmp_path: Path, transposed: bool) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf, transposed=transposed)
    picture = flat_picture(SIDE, SIDE, (255, 255, 0))
    picture[:8, :8] = (0, 0, 204)
    (found,) = YoloFaceDetector(OnnxRuntime(), shelf).detect(picture)
    assert found.score == pytest.approx(204 / 255)
    assert found.box.tolist() == [24, 14, 40, 34]
    assert found.keypoints.tolist() == [[28, 20], [36, 20], [32, 24], [29, 30], [35, 30]]


def test_boxes_are_told_in_pixels_of_the_picture(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(96, 192, (255, 255, 255))
    (found,) = YoloFaceDetector(OnnxRuntime(), shelf).detect(picture)
    assert found.box.tolist() == [72, 42, 120, 102]


def test_a_score_under_the_threshold_is_no_face(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    draw(shelf)
    picture = flat_picture(SIDE, SIDE, (0, 0, 140))
    assert len(YoloFaceDetector(OnnxRuntime(), shelf).detect(picture)) == 1
    assert YoloFaceDetector(OnnxRuntime(), shelf, threshold=0.6).detect(picture) == []


def test_a_table_of_another_width_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    drawing = Drawing()
    plane = drawing.look("images", np.zeros((5, 3)), np.zeros(5), pool=8)
    drawing.add("Reshape", plane, drawing.ints(1, 5, -1), name="output0")
    drawing.save(shelf.file("yolov8_face"), {"images": (1, 3, SIDE, SIDE)}, ["output0"])
    with pytest.raises(ModelUnavailable) as refusal:
        YoloFaceDetector(OnnxRuntime(), shelf).detect(flat_picture(SIDE, SIDE, (0, 0, 0)))
    assert refusal.value.code == "model_unfit"
