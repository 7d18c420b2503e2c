"""The face gate says what is wrong with a picture, in terms that the caller understands."""

from __future__ import annotations

import pytest

from pipeline.faces import Face
from safety.evidence import Evidence
from safety.gates import FaceGate, GateUnavailable
from tests.safety.samples import GREY, face


def _scores(faces: tuple[Face, ...], chosen: int | None = None) -> dict[str, float | None]:
    return {f.name: f.score for f in FaceGate().examine(Evidence("target", GREY, faces, chosen))}


def test_one_face_is_described() -> None:
    scores = _scores((face(width=80, yaw=-30, pitch=-12),))
    assert scores == pytest.approx(
        {"face.missing": 0, "face.ambiguous": 0, "face.width": 80, "face.turn": 30, "face.tilt": 12}
    )


def test_a_picture_without_a_face_has_no_measures() -> None:
    assert _scores(()) == {"face.missing": 1, "face.ambiguous": 0}


def test_several_faces_are_ambiguous_until_one_is_chosen() -> None:
    faces = (face(width=90), face(width=40))
    assert _scores(faces)["face.ambiguous"] == 1
    chosen = _scores(faces, 1)
    assert (chosen["face.ambiguous"], chosen["face.width"]) == (0, 40)


@pytest.mark.parametrize("chosen", [-1, 1, 99])
def test_a_face_that_is_not_there_is_missing(chosen: int) -> None:
    assert _scores((face(),), chosen)["face.missing"] == 1


def test_a_failed_search_is_not_an_empty_picture() -> None:
    with pytest.raises(GateUnavailable):
        FaceGate().examine(Evidence("target", GREY, None))
