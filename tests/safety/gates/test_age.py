"""Children are refused, teenagers at least looked at by a person, adults let through."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.gates import AgeGate, GateUnavailable
from safety.policy import Policy
from safety.verdict import Outcome
from tests.safety.samples import GREY, face, harmless_findings

CHILDREN = ("10-month-baby", "2.5-year-toddler", "small-child")
TEENAGERS = ("16-year-teenager",)
ADULTS = ("30-year-adult", "70-year-senior")


@pytest.fixture(scope="module")
def gate(runtime: OnnxRuntime, store: ModelStore) -> AgeGate:
    return AgeGate(runtime, store)


@pytest.fixture(scope="module")
def table(gate: AgeGate, engine: FaceEngine, faces_folder: Path) -> dict[str, Counter[Outcome]]:
    """The shipped policy's outcome by age alone, for every label of the test faces; printed where the test fails."""
    policy = Policy.shipped()
    counts: dict[str, Counter[Outcome]] = {label: Counter() for label in (*CHILDREN, *TEENAGERS, *ADULTS)}
    for path in sorted((faces_folder / "ages").glob("*.jpg")):
        pixels = np.asarray(cv2.imread(str(path)), np.uint8)
        found = gate.examine(Evidence("target", pixels, tuple(engine.look(pixels))))
        rest = [f for f in harmless_findings(policy, ("target",)) if not f.name.startswith("age.")]
        verdict = policy.judge([*rest, *found], required=("target",))
        counts[path.stem.rpartition("-")[0]][verdict.outcome] += 1
    print("label, allowed, reviewed, refused")
    for label, count in counts.items():
        print(label, *(count[outcome] for outcome in Outcome))
    return counts


def _share(table: dict[str, Counter[Outcome]], labels: tuple[str, ...], *outcomes: Outcome) -> float:
    chosen = sum((table[label] for label in labels), Counter[Outcome]())
    return sum(chosen[outcome] for outcome in outcomes) / chosen.total()


@pytest.mark.testdata
def test_every_child_is_refused(table: dict[str, Counter[Outcome]]) -> None:
    assert _share(table, CHILDREN, Outcome.REFUSE) == 1


@pytest.mark.testdata
def test_teenagers_are_refused_or_seen_by_a_person(table: dict[str, Counter[Outcome]]) -> None:
    assert _share(table, TEENAGERS, Outcome.REFUSE, Outcome.REVIEW) >= 0.85


@pytest.mark.testdata
def test_adults_are_seldom_reviewed_and_never_refused(table: dict[str, Counter[Outcome]]) -> None:
    assert _share(table, ADULTS, Outcome.REFUSE) == 0
    assert _share(table, ADULTS, Outcome.REVIEW) <= 0.10


@pytest.mark.testdata
def test_the_youngest_of_several_faces_counts(gate: AgeGate, engine: FaceEngine, faces_folder: Path) -> None:
    names = ("30-year-adult-07", "10-month-baby-00")
    pictures = [np.asarray(cv2.imread(str(faces_folder / f"ages/{name}.jpg")), np.uint8) for name in names]
    both = np.ascontiguousarray(np.hstack(pictures), np.uint8)
    faces = tuple(engine.look(both))
    lowest = next(f for f in gate.examine(Evidence("target", both, faces)) if f.name == "age.lowest")
    assert len(faces) == 2
    assert lowest.score is not None
    assert lowest.score < 5
    assert lowest.region is not None
    assert lowest.region[0] > both.shape[1] / 3


def test_an_adult_is_an_adult(gate: AgeGate, astronaut_seen: Evidence) -> None:
    lowest = gate.examine(astronaut_seen)[0]
    assert lowest.score is not None
    assert lowest.score >= 25
    assert lowest.model is not None
    assert lowest.model.startswith("age@sha256:4f9f0075")
    assert lowest.milliseconds > 0


def test_a_face_too_small_to_tell_is_counted(gate: AgeGate, astronaut_seen: Evidence) -> None:
    assert astronaut_seen.faces is not None
    with_speck = replace(astronaut_seen, faces=(*astronaut_seen.faces, face(width=12)))
    scores = {f.name: f.score for f in gate.examine(with_speck)}
    assert scores["age.unclear"] == 1


@pytest.mark.parametrize("faces", [None, (), (face(width=12),)])
def test_without_a_face_there_is_no_age(gate: AgeGate, faces: object) -> None:
    with pytest.raises(GateUnavailable):
        gate.examine(Evidence("source:0", GREY, faces))  # type: ignore[arg-type]


def test_outputs_are_not_asked_for_their_age(gate: AgeGate) -> None:
    assert gate.owes("output") == ()
