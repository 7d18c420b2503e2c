"""The gates that ask somebody else: whatever a directory or a reader does, nothing passes that was not looked up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates import Gate, KnownPictureGate, OriginGate, ProtectedPeopleGate
from safety.gates.origin import Origin
from safety.lists.people import Nearest
from safety.lists.pictures import NearestPicture
from safety.policy import Policy
from safety.run import GateRunner
from safety.verdict import Outcome
from tests.safety.samples import GREY, face, harmless_findings

POLICY = Policy.shipped()
EVIDENCE = Evidence("target", GREY, (face(),), embeddings=np.zeros((1, 128), np.float32), tenant="ten_a", data=b"x")


@dataclass
class Answering:
    """A directory and a reader that does what the test says."""

    act: Callable[..., Any]

    def nearest(self, *given: Any) -> Any:
        return self.act(*given)

    def read(self, *given: Any) -> Any:
        return self.act(*given)


MAKERS: list[Callable[[Any], Gate]] = [
    lambda answering: ProtectedPeopleGate(answering, {"dlib": "ab"}),
    KnownPictureGate,
    OriginGate,
]


def _judge(gate: Gate, evidence: Evidence = EVIDENCE) -> tuple[Outcome, set[str], list[Finding]]:
    """The outcome where all the other gates found nothing."""
    findings = GateRunner([gate], 0.3).run([evidence])
    mine = {finding.name for finding in findings}
    rest = [f for f in harmless_findings(POLICY, ("target",)) if f.name not in mine]
    verdict = POLICY.judge([*rest, *findings], required=("target",))
    return verdict.outcome, {reason.code for reason in verdict.deciding}, findings


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def _raising(error: BaseException) -> Callable[..., Any]:
    def act(*_: Any) -> Any:
        raise error

    return act


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "act",
    [
        _raising(RuntimeError("the list cannot be opened")),
        _raising(MemoryError()),
        _raising(FileNotFoundError("no model")),
        lambda *_: None,
        lambda *_: [],
        lambda *_: "allow",
        lambda *_: [Nearest(float("nan"), None, 1)],
    ],
)
def test_a_lookup_that_fails_is_never_allowed(make: Callable[[Any], Gate], act: Callable[..., Any]) -> None:
    outcome, _, findings = _judge(make(Answering(act)))
    assert outcome is not Outcome.ALLOW
    assert {finding.status for finding in findings} == {"unavailable"}


@pytest.mark.parametrize("make", MAKERS)
def test_a_lookup_that_hangs_is_never_allowed(make: Callable[[Any], Gate], release: threading.Event) -> None:
    outcome, codes, _ = _judge(make(Answering(lambda *_: release.wait())))
    assert (outcome, codes) == (Outcome.REVIEW, {"not_checked"})


@pytest.mark.parametrize(
    ("distance", "size", "outcome", "code"),
    [
        (0.20, 1_000_000, Outcome.REFUSE, "protected_person"),
        (0.27, 1, Outcome.REFUSE, "protected_person"),
        (0.40, 50, Outcome.REVIEW, "possibly_protected_person"),
        (0.40, 100_000, Outcome.ALLOW, None),
        (0.50, 1, Outcome.ALLOW, None),
    ],
)
def test_a_protected_person_is_refused_and_a_likeness_reviewed(
    distance: float, size: int, outcome: Outcome, code: str | None
) -> None:
    gate = ProtectedPeopleGate(Answering(lambda *_: [Nearest(distance, "ppl_a", size)]), {"dlib": "ab"})
    found, codes, _ = _judge(gate)
    assert (found, codes) == (outcome, {code} if code else set())


def test_every_face_is_looked_up_and_the_nearest_counts() -> None:
    two = Evidence("target", GREY, (face(), face()), 0, np.zeros((2, 128), np.float32))
    gate = ProtectedPeopleGate(Answering(lambda *_: [Nearest(0.5, None, 9), Nearest(0.1, "ppl_b", 9)]), {"dlib": "ab"})
    assert _judge(gate, two)[1] == {"protected_person"}
    one = ProtectedPeopleGate(Answering(lambda *_: [Nearest(0.5, None, 9)]), {"dlib": "ab"})
    assert {finding.status for finding in _judge(one, two)[2]} == {"unavailable"}


def test_a_directory_is_asked_for_the_tenants_lists() -> None:
    asked = []
    gate = KnownPictureGate(Answering(lambda _, tenant: asked.append(tenant) or NearestPicture(256, None, 0)))
    assert _judge(gate)[0] is Outcome.ALLOW
    assert asked == ["ten_a"]


@pytest.mark.parametrize(("bits", "outcome"), [(0, Outcome.REFUSE), (31, Outcome.REFUSE), (32, Outcome.ALLOW)])
def test_a_known_picture_is_refused(bits: int, outcome: Outcome) -> None:
    assert _judge(KnownPictureGate(Answering(lambda *_: NearestPicture(bits, "pic_a", 5))))[0] is outcome


@pytest.mark.parametrize(
    ("origin", "outcome", "codes"),
    [
        (Origin(), Outcome.ALLOW, set()),
        (Origin(broken=True), Outcome.REVIEW, {"broken_credentials"}),
        (Origin(no_derivation=True), Outcome.REFUSE, {"derivation_forbidden"}),
        (Origin(own_output=True), Outcome.REVIEW, {"made_here_before"}),
        (Origin(own_output=True, withdrawn=True), Outcome.REFUSE, {"taken_down_before"}),
    ],
)
def test_what_an_input_says_of_itself_counts(origin: Origin, outcome: Outcome, codes: set[str]) -> None:
    assert _judge(OriginGate(Answering(lambda _: origin)))[:2] == (outcome, codes)


def test_outputs_have_no_marks_yet() -> None:
    assert OriginGate(Answering(lambda _: Origin())).owes("output") == ()
