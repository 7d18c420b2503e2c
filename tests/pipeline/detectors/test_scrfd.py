"""SCRFD and RetinaFace: letterbox, colour order, normalisation and distance decoding, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.detectors import RETINAFACE, SCRFD, ScrfdDetector
from pipeline.detectors.scrfd import ScrfdModel
from pipeline.errors import ModelUnavailable
from pipeline.runtime import OnnxRuntime
from tests.pipeline.detectors.maps import colour_map, fixed_map
from tests.pipeline.small_graphs import Drawing, Shelf, flat_picture

SIDE = 64
BLUE_IN_BGR = (1.0, 0.0, 0.0)
POINTS = [-1.0, -0.5, 1.0, -0.5, 0.0, 0.25, -0.75, 1.0, 0.75, 1.0]


def draw(shelf: Shelf, name: str = "scrfd", shape: tuple[int | str, ...] = (1, 3, SIDE, SIDE)) -> None:
    """A score is the normalised first channel of its cell at stride 8, 0 elsewhere; the second anchor has .8 of it."""
    drawing = Drawing()
    scores = [
        colour_map(drawing, 8, "score_8", [(BLUE_IN_BGR, 0.0), ((0.8, 0.0, 0.0), 0.0)], 1),
        fixed_map(drawing, 16, "score_16", [0.0, 0.0], 1),
        fixed_map(drawing, 32, "score_32", [0.0, 0.0], 1),
    ]
    boxes = [fixed_map(drawing, s, f"bbox_{s}", [1.0, 2.0, 3.0, 4.0] * 2, 4) for s in (8, 16, 32)]
    marks = [fixed_map(drawing, s, f"kps_{s}", POINTS * 2, 10) for s in (8, 16, 32)]
    drawing.save(shelf.file(name), {"input": shape}, [*scores, *boxes, *marks])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_a_blue_cell_is_a_face_with_the_box_and_points_of_its_anchor(shelf: Shelf) -> None:
    draw(shelf)
    picture = flat_picture(SIDE, SIDE, (0, 255, 255))
    picture[16:24, 24:32] = (255, 0, 0)
    (found,) = ScrfdDetector(OnnxRuntime(), shelf).detect(picture)
    assert found.score == pytest.approx((255 - 127.5) / 128)
    # The anchor is at (24, 16), the distances 1, 2, 3, 4 strides of 8.
    assert found.box.tolist() == [24 - 8, 16 - 16, 24 + 24, 16 + 32]
    assert found.keypoints.tolist() == [[16, 12], [32, 12], [24, 18], [18, 24], [30, 24]]
    assert found.box.dtype == found.keypoints.dtype == np.float32


def test_an_export_that_wants_rgb_can_be_fed_so(shelf: Shelf) -> None:
    draw(shelf)
    picture = flat_picture(SIDE, SIDE, (0, 0, 0))
    picture[16:24, 24:32] = (0, 0, 255)
    assert ScrfdDetector(OnnxRuntime(), shelf).detect(picture) == []
    assert len(ScrfdDetector(OnnxRuntime(), shelf, ScrfdModel("scrfd", rgb=True)).detect(picture)) == 1


@pytest.mark.parametrize(("height", "width"), [(128, 128), (64, 128), (128, 96), (32, 32)])
def test_a_picture_of_another_size_is_fitted_into_the_top_left(shelf: Shelf, height: int, width: int) -> None:
    draw(shelf)
    factor = max(height, width) / SIDE
    picture = flat_picture(height, width, (0, 0, 0))
    rows, columns = (np.array([8, 16]) * factor).astype(int), (np.array([16, 24]) * factor).astype(int)
    picture[rows[0] : rows[1], columns[0] : columns[1]] = 255
    (found,) = ScrfdDetector(OnnxRuntime(), shelf).detect(picture)
    assert np.allclose(found.box, np.array([8, -8, 40, 40]) * factor)


def test_faces_come_best_first_and_overlapping_ones_once(shelf: Shelf) -> None:
    draw(shelf)
    picture = flat_picture(SIDE, SIDE, (0, 0, 0))
    picture[8:16, 8:16] = 240
    picture[8:16, 16:24] = 250  # its box overlaps the first one's by three fifths
    picture[48:56, 48:56] = 230
    found = ScrfdDetector(OnnxRuntime(), shelf).detect(picture)
    assert [round(face.score * 128 + 127.5) for face in found] == [250, 230]


def test_an_open_input_is_fed_640_px(shelf: Shelf) -> None:
    draw(shelf, "retinaface", (1, 3, "height", "width"))
    picture = flat_picture(640, 640, (0, 0, 0))
    picture[320:328, 400:408] = 255
    detector = ScrfdDetector(OnnxRuntime(), shelf, RETINAFACE)
    (found,) = detector.detect(picture)
    assert found.box.tolist() == [392, 304, 424, 352]
    assert detector.name == "retinaface"
    assert detector.digests == (shelf.digest("retinaface"),)


def test_an_empty_picture_has_no_face(shelf: Shelf) -> None:
    draw(shelf)
    assert ScrfdDetector(OnnxRuntime(), shelf).detect(flat_picture(10, 200, (0, 0, 0))) == []


def test_a_missing_model_says_what_to_install(shelf: Shelf) -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        ScrfdDetector(OnnxRuntime(), shelf)
    assert refusal.value.code == "model_missing"
    assert refusal.value.hint


def test_a_corrupt_model_is_refused(shelf: Shelf) -> None:
    shelf.file("scrfd").write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable) as refusal:
        ScrfdDetector(OnnxRuntime(), shelf, SCRFD)
    assert refusal.value.code == "model_broken"


def test_another_model_under_its_name_is_refused(shelf: Shelf) -> None:
    drawing = Drawing()
    drawing.look("input", np.eye(3), np.zeros(3))
    drawing.save(shelf.file("scrfd"), {"input": (1, 3, SIDE, SIDE)}, ["conv_0"])
    with pytest.raises(ModelUnavailable, match="1 outputs") as refusal:
        ScrfdDetector(OnnxRuntime(), shelf)
    assert refusal.value.code == "model_unfit"
