"""The output shows the consented person and no longer the one who was replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.faces import Floats
from safety.evidence import Evidence
from safety.gates import GateUnavailable, OutputIdentityGate
from tests.safety.samples import GREY, face

GATE = OutputIdentityGate({"dlib_resnet": "ab"})


def _at(position: float) -> Floats:
    row = np.zeros(128, np.float32)
    row[0] = position
    return row


def _evidence(swapped: float, *, template: float = 0.0, original: float = 0.8) -> Evidence:
    return Evidence(
        "output",
        GREY,
        (face(),),
        embeddings=_at(swapped)[None],
        template=_at(template),
        original=_at(original),
    )


def _scores(evidence: Evidence) -> dict[str, float | None]:
    return {f.name: f.score for f in GATE.examine(evidence)}


def test_a_face_near_the_template_is_the_subject() -> None:
    assert _scores(_evidence(0.3)) == pytest.approx({"identity.distance": 0.3, "identity.still_original": 0})


def test_a_face_nearer_to_the_original_is_still_the_original() -> None:
    assert _scores(_evidence(0.5)) == pytest.approx({"identity.distance": 0.5, "identity.still_original": 0.2})


def test_subject_and_original_may_be_the_same_person() -> None:
    assert _scores(_evidence(0.35, original=0.4))["identity.still_original"] == 0


@pytest.mark.parametrize("without", ["template", "original", "embeddings", "faces"])
def test_without_something_to_compare_it_is_unavailable(without: str) -> None:
    with pytest.raises(GateUnavailable):
        GATE.examine(replace(_evidence(0.3), **{without: None}))  # type: ignore[arg-type]


def test_a_swapped_face_that_is_not_found_is_unavailable() -> None:
    with pytest.raises(GateUnavailable):
        GATE.examine(replace(_evidence(0.3), chosen=-1))


@pytest.mark.parametrize("broken", ["template", "original", "embeddings"])
def test_nonsense_is_not_a_match(broken: str) -> None:
    nonsense = np.full((1, 128) if broken == "embeddings" else 128, np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        GATE.examine(replace(_evidence(0.3), **{broken: nonsense}))  # type: ignore[arg-type]
