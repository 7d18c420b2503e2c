"""Every face in a source photo has to be the person who gave the grant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.faces import Floats
from safety.evidence import Evidence
from safety.gates import ConsentGate, GateUnavailable
from tests.safety.samples import GREY, face

GATE = ConsentGate({"dlib_resnet": "ab"})
TEMPLATE = np.zeros(128, np.float32)


def _row(distance: float) -> Floats:
    row = np.zeros(128, np.float32)
    row[0] = distance
    return row


def _evidence(*distances: float) -> Evidence:
    rows = np.stack([_row(distance) for distance in distances])
    return Evidence("source:0", GREY, tuple(face() for _ in distances), embeddings=rows, template=TEMPLATE)


def test_the_distance_is_that_of_the_farthest_face() -> None:
    (finding,) = GATE.examine(_evidence(0.2, 0.7, 0.3))
    assert finding.score == pytest.approx(0.7)
    assert finding.model == "dlib_resnet@sha256:ab"


@pytest.mark.parametrize(
    "without",
    [{"template": None}, {"embeddings": None}, {"faces": None}, {"faces": (), "embeddings": np.zeros((0, 128))}],
)
def test_without_something_to_compare_it_is_unavailable(without: dict[str, object]) -> None:
    with pytest.raises(GateUnavailable):
        GATE.examine(replace(_evidence(0.2), **without))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "broken",
    [
        {"embeddings": np.full((1, 128), np.nan, np.float32)},
        {"embeddings": np.zeros((2, 128), np.float32)},
        {"template": np.zeros(64, np.float32)},
        {"template": np.full(128, np.inf, np.float32)},
    ],
)
def test_nonsense_is_not_a_match(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"finite|belong"):
        GATE.examine(replace(_evidence(0.2), **broken))  # type: ignore[arg-type]


@pytest.mark.testdata
def test_other_people_do_not_match(engine: FaceEngine, faces_folder: Path, astronaut_template: Floats) -> None:
    for path in sorted((faces_folder / "portraits").glob("*.jpg")):
        pixels = np.asarray(cv2.imread(str(path)), np.uint8)
        faces = tuple(engine.look(pixels))
        rows = engine.embed(pixels, faces)
        evidence = Evidence("source:0", pixels, faces, embeddings=rows, template=astronaut_template)
        (finding,) = GATE.examine(evidence)
        assert finding.score is not None
        assert finding.score > 0.45


def test_only_sources_are_asked_for_consent() -> None:
    assert [kind for kind in ("source", "target", "output") if GATE.owes(kind)] == ["source"]
