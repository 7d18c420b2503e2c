"""Children are refused, teenagers at least looked at by a person, adults let through."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.gates import AgeGate, GateUnavailable
from safety.gates.age import estimate
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
def test_adults_elsewhere_are_not_refused(gate: AgeGate, engine: FaceEngine, faces_folder: Path) -> None:
    """Faces of other collections, among them one on which the network sees a child and an adult at once."""
    policy, refused = Policy.shipped(), []
    grown = [faces_folder / f"portraits/{letter}.jpg" for letter in "abcefg"]
    for path in [*grown, *sorted((faces_folder / "expressions").glob("*.jpg"))]:
        pixels = np.asarray(cv2.imread(str(path)), np.uint8)
        found = gate.examine(Evidence("target", pixels, tuple(engine.look(pixels))))
        rest = [f for f in harmless_findings(policy, ("target",)) if not f.name.startswith("age.")]
        if policy.judge([*rest, *found], required=("target",)).outcome is Outcome.REFUSE:
            refused.append(path.name)
    assert refused == []


@pytest.mark.testdata
@pytest.mark.parametrize("damage", ["blurred", "dark", "jpeg", "grey"])
def test_no_child_or_teenager_is_let_through_in_a_bad_picture(
    damage: str, gate: AgeGate, engine: FaceEngine, faces_folder: Path
) -> None:
    allowed = []
    for label in (*CHILDREN, *TEENAGERS):
        for path in sorted((faces_folder / "ages").glob(f"{label}-*[37].jpg")):
            pixels = _damaged(np.asarray(cv2.imread(str(path)), np.uint8), damage)
            faces = tuple(engine.look(pixels))
            if faces and _lowest(gate, pixels, faces) >= 25:
                allowed.append(path.name)
    assert allowed == []


def _lowest(gate: AgeGate, pixels: Pixels, faces: tuple[Face, ...]) -> float:
    score = gate.examine(Evidence("target", pixels, faces))[0].score
    assert score is not None
    return score


def _damaged(pixels: Pixels, damage: str) -> Pixels:
    if damage == "blurred":
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.6), np.uint8)
    if damage == "dark":
        return (pixels * 0.45).astype(np.uint8)
    if damage == "jpeg":
        return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], 1), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _crops(*crops: dict[int, float]) -> NDArray[np.float64]:
    """Distributions over the 81 ages, from years with their probabilities."""
    table = np.zeros((len(crops), 81))
    for row, crop in zip(table, crops, strict=True):
        for year, share in crop.items():
            row[year] = share
    return table


def test_doubt_counts_downward_but_is_bounded() -> None:
    sure = estimate(_crops(*[{30: 1.0}] * 6))
    assert (sure.lowest, sure.typical, sure.cautious) == (30, 30, 30)
    unsure = estimate(_crops(*[{21: 1.0}] * 5, {9: 1.0}))
    assert (unsure.lowest, unsure.typical, unsure.cautious) == (9, 21, 19)


def test_a_face_on_which_the_network_contradicts_itself_has_no_age() -> None:
    both = {8: 0.6, 50: 0.4}
    torn = estimate(_crops(*[both] * 4, {40: 1.0}, {40: 1.0}))
    assert (torn.typical, torn.cautious) == (None, None)
    assert torn.lowest < 25
    assert estimate(_crops(*[both] * 2, *[{40: 1.0}] * 4)).cautious == 40


def test_an_old_face_may_be_of_any_old_age() -> None:
    assert estimate(_crops(*[{45: 0.5, 75: 0.5}] * 6)).cautious == 60


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
