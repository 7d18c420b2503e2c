"""Wav2Lip: six channels in, a new lower half out, the upper half untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import FaceRefused, ModelUnavailable
from pipeline.lipsync import Wav2LipStage
from pipeline.render import paste
from pipeline.runtime import OnnxRuntime
from tests.pipeline.small_graphs import Drawing, Shelf, face_at, flat_picture, largest_gap, shown, smooth_picture

PICTURE = smooth_picture(400, 500)
FACE = face_at(250, 200, 150, roll=15)
QUIET = np.zeros((80, 16), np.float32)


def draw(shelf: Shelf, first: int) -> None:
    """Gives three of the six channels, from the first one on, brightened by the mean of the sound."""
    drawing = Drawing()
    picture = drawing.add("Slice", "target", drawing.ints(first), drawing.ints(first + 3), drawing.ints(1))
    loud = drawing.add("GlobalAveragePool", "source")
    drawing.add("Add", picture, loud, name="output")
    shapes = {"source": (1, 1, 80, 16), "target": (1, 6, 96, 96)}
    drawing.save(shelf.file("wav2lip"), shapes, ["output"])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_the_last_three_channels_are_the_face_as_it_is(shelf: Shelf) -> None:
    draw(shelf, 3)
    region = Wav2LipStage(OnnxRuntime(), shelf).speak(PICTURE, FACE, QUIET)
    assert shown(region).any()
    assert largest_gap(region.pixels, region.base, shown(region)) <= 1


def test_the_first_three_channels_are_black_below_the_middle(shelf: Shelf) -> None:
    draw(shelf, 0)
    region = Wav2LipStage(OnnxRuntime(), shelf).speak(PICTURE, FACE, QUIET)
    assert not region.pixels[region.weight > 0.5].any()


def test_the_eyes_stay_and_the_mouth_changes(shelf: Shelf) -> None:
    draw(shelf, 0)
    result = paste(PICTURE, Wav2LipStage(OnnxRuntime(), shelf).speak(PICTURE, FACE, QUIET))
    eye, lips = FACE.mesh[[159, 13], :2].astype(int)
    assert (result[eye[1], eye[0]] == PICTURE[eye[1], eye[0]]).all()
    assert not result[lips[1], lips[0]].any()


def test_the_sound_reaches_the_network(shelf: Shelf) -> None:
    draw(shelf, 3)
    picture = flat_picture(400, 500, (100, 100, 100))
    region = Wav2LipStage(OnnxRuntime(), shelf).speak(picture, FACE, QUIET + np.float32(0.2))
    assert (region.pixels[region.weight > 0.5] == 151).all()


def test_a_face_cut_off_by_the_border_is_refused(shelf: Shelf) -> None:
    draw(shelf, 3)
    with pytest.raises(FaceRefused) as refusal:
        Wav2LipStage(OnnxRuntime(), shelf).speak(PICTURE, face_at(0, 200, 150), QUIET)
    assert refusal.value.code == "face_cut_off"


def test_a_window_of_another_length_is_refused(shelf: Shelf) -> None:
    draw(shelf, 3)
    with pytest.raises(ValueError, match="16 steps"):
        Wav2LipStage(OnnxRuntime(), shelf).speak(PICTURE, FACE, QUIET[:, :5])


def test_a_graph_without_a_sound_is_refused(shelf: Shelf) -> None:
    drawing = Drawing()
    drawing.add("Identity", "target", name="output")
    drawing.save(shelf.file("wav2lip"), {"target": (1, 6, 96, 96)}, ["output"])
    with pytest.raises(ModelUnavailable) as refusal:
        Wav2LipStage(OnnxRuntime(), shelf)
    assert refusal.value.code == "model_unfit"
