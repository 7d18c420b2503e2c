"""ArcFace: alignment, colour order, normalisation, batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.embedders import ArcFaceEmbedder
from pipeline.embedders.arcface import SAME_PERSON
from pipeline.errors import ModelUnavailable
from tests.pipeline.small_graphs import CountingRuntime, Drawing, Shelf, face_at, flat_picture, smooth_picture

MODEL = "arcface_w600k_r50"


def draw(shelf: Shelf, rows: int | str = "N", *, size: int = 512) -> None:
    """An embedding is the means of 7 x 7 tiles of each channel, red first, and zeros."""
    drawing = Drawing()
    tiles = drawing.add("AveragePool", "input", kernel_shape=[16, 16], strides=[16, 16])
    flat = drawing.add("Reshape", tiles, drawing.ints(0, 147))
    table = np.eye(147, size)
    drawing.add("MatMul", flat, drawing.constant(table), name="output")
    drawing.save(shelf.file(MODEL), {"input": (rows, 3, 112, 112)}, ["output"])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_red_comes_first_and_lies_between_minus_one_and_one(shelf: Shelf) -> None:
    draw(shelf)
    picture = flat_picture(300, 300, (0, 51, 255))
    (row,) = ArcFaceEmbedder(CountingRuntime(), shelf).embed_raw(picture, [face_at(150, 150, 100)])
    assert row[:49] == pytest.approx(1.0)
    assert row[49:98] == pytest.approx(51 / 127.5 - 1)
    assert row[98:147] == pytest.approx(-1.0)


def test_the_eye_lies_in_the_tile_of_the_template(shelf: Shelf) -> None:
    draw(shelf)
    picture = flat_picture(300, 300, (0, 0, 0))
    face = face_at(150, 150, 112)
    left, *_ = face.points  # type: ignore[misc]
    picture[int(left[1]), int(left[0])] = 255
    (row,) = ArcFaceEmbedder(CountingRuntime(), shelf).embed_raw(picture, [face])
    # arcface_112_v2 has the left eye at (38.3, 51.7): the third of seven tiles across, the fourth down.
    assert int(row[:49].argmax()) == 3 * 7 + 2


def test_embeddings_have_length_one(shelf: Shelf) -> None:
    draw(shelf)
    picture = smooth_picture(300, 400)
    rows = ArcFaceEmbedder(CountingRuntime(), shelf).embed(picture, [face_at(100, 100, 90), face_at(250, 200, 120)])
    assert rows.shape == (2, 512)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1])


def test_faces_are_embedded_at_once_where_the_graph_allows_it_and_alike_where_it_does_not(tmp_path: Path) -> None:
    picture = smooth_picture(300, 400)
    faces = [face_at(100 + 50 * i, 150, 80 + 10 * i, roll=10 * i) for i in range(4)]
    rows = []
    for name, dimension, edits, runs in (("open", "N", False, 1), ("edited", 1, True, 1), ("fixed", 1, False, 4)):
        (tmp_path / name).mkdir()
        shelf, runtime = Shelf(tmp_path / name), CountingRuntime(edits=edits)
        draw(shelf, dimension)
        rows.append(ArcFaceEmbedder(runtime, shelf).embed(picture, faces))
        assert runtime.runs[MODEL] == runs
    assert np.allclose(rows[0], rows[1], atol=1e-6)
    assert np.allclose(rows[0], rows[2], atol=1e-6)


def test_no_faces_give_no_rows(shelf: Shelf) -> None:
    draw(shelf)
    assert ArcFaceEmbedder(CountingRuntime(), shelf).embed(smooth_picture(50, 50), []).shape == (0, 512)


def test_a_model_of_another_size_is_refused(shelf: Shelf) -> None:
    draw(shelf, size=128)
    with pytest.raises(ModelUnavailable) as refusal:
        ArcFaceEmbedder(CountingRuntime(), shelf).embed(smooth_picture(300, 300), [face_at(150, 150, 90)])
    assert refusal.value.code == "model_unfit"


def test_the_threshold_is_a_cosine_of_408_thousandths() -> None:
    assert pytest.approx(0.408) == 1 - SAME_PERSON**2 / 2
