"""Whatever a gate does, the runner answers in time with what the gate owes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from safety.evidence import Evidence
from safety.findings import Finding, measured
from safety.gates.base import GateUnavailable
from safety.run import GateRunner, run_gates
from tests.safety.samples import GREY

TARGET = Evidence("target", GREY, ())
SOURCE = Evidence("source:0", GREY, ())


class ScriptedGate:
    """A gate that does what the test says."""

    def __init__(self, act: Callable[[Evidence], Any], name: str = "scripted") -> None:
        self.name = name
        self._act = act

    def owes(self, kind: str) -> tuple[str, ...]:
        return ("a.one", "a.two") if kind == "target" else ()

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        return self._act(evidence)  # type: ignore[no-any-return]


def _good(evidence: Evidence) -> list[Finding]:
    return [measured("scripted", evidence.subject, name, 0.5) for name in ("a.one", "a.two")]


def _raise(error: BaseException) -> Callable[[Evidence], Any]:
    def act(_: Evidence) -> Any:
        raise error

    return act


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Hanging gates wait for this; it is set when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_a_gate_that_works_is_heard() -> None:
    findings = run_gates([ScriptedGate(_good)], [SOURCE, TARGET], 5)
    assert [(f.subject, f.name, f.score) for f in findings] == [("target", "a.one", 0.5), ("target", "a.two", 0.5)]


@pytest.mark.parametrize(
    "act",
    [
        _raise(RuntimeError("broken")),
        _raise(MemoryError()),
        _raise(GateUnavailable("no model")),
        _raise(SystemExit(1)),
        _raise(KeyboardInterrupt()),
        lambda _: None,
        lambda _: [],
        lambda _: "a.one",
        lambda _: 7,
        lambda _: [None, {}, "a.one"],
        lambda _: _good(SOURCE),
        lambda e: [f for f in _good(e) for _ in (1, 2)],
        lambda e: [measured("other gate", e.subject, name, 0.0) for name in ("a.one", "a.two")],
        lambda e: [measured("scripted", e.subject, name, float("nan")) for name in ("a.one", "a.two")],
        lambda e: [measured("scripted", e.subject, "a.three", 0.0)],
    ],
)
def test_a_gate_that_fails_is_unavailable(act: Callable[[Evidence], Any]) -> None:
    findings = run_gates([ScriptedGate(act)], [TARGET], 5)
    assert [(f.name, f.status, f.score) for f in findings] == [
        ("a.one", "unavailable", None),
        ("a.two", "unavailable", None),
    ]
    assert all(f.note for f in findings)


def test_the_part_that_a_gate_did_report_is_kept() -> None:
    one, two = run_gates([ScriptedGate(lambda e: _good(e)[:1])], [TARGET], 5)
    assert (one.status, two.status) == ("measured", "unavailable")


def test_a_hung_gate_does_not_hold_up_the_others(release: threading.Event) -> None:
    hung = ScriptedGate(lambda _: release.wait(), "hung")
    started = time.monotonic()
    findings = run_gates([hung, ScriptedGate(_good)], [TARGET], 0.2)
    assert time.monotonic() - started < 2
    assert [(f.gate, f.status) for f in findings] == [
        ("hung", "unavailable"),
        ("hung", "unavailable"),
        ("scripted", "measured"),
        ("scripted", "measured"),
    ]


def test_a_gate_that_still_hangs_is_unavailable_at_once_and_gets_no_further_thread(release: threading.Event) -> None:
    calls = []

    def hang(_: Evidence) -> None:
        calls.append(1)
        release.wait()

    runner = GateRunner([ScriptedGate(hang)], 0.2)
    runner.run([TARGET])
    threads, started = threading.active_count(), time.monotonic()
    for _ in range(20):
        assert {f.status for f in runner.run([TARGET])} == {"unavailable"}
    assert time.monotonic() - started < 0.2
    assert threading.active_count() <= threads
    assert len(calls) == 1


def test_a_gate_that_recovers_is_heard_again() -> None:
    event = threading.Event()
    runner = GateRunner([ScriptedGate(lambda e: event.wait() and _good(e))], 0.2)
    assert {f.status for f in runner.run([TARGET])} == {"unavailable"}
    event.set()
    time.sleep(0.1)
    assert {f.status for f in runner.run([TARGET])} == {"measured"}


def test_what_was_measured_before_the_time_limit_counts(release: threading.Event) -> None:
    second = Evidence("target:1", GREY, ())

    def act(evidence: Evidence) -> list[Finding]:
        if evidence is second:
            release.wait()
        return _good(evidence)

    findings = run_gates([ScriptedGate(act)], [TARGET, second], 0.3)
    assert [f.status for f in findings] == ["measured", "measured", "unavailable", "unavailable"]


def test_gates_run_side_by_side() -> None:
    together = threading.Barrier(2, timeout=5)

    def meet(name: str) -> ScriptedGate:
        def act(evidence: Evidence) -> list[Finding]:
            together.wait()
            return [measured(name, evidence.subject, owed, 0.0) for owed in ("a.one", "a.two")]

        return ScriptedGate(act, name)

    assert {f.status for f in run_gates([meet("left"), meet("right")], [TARGET], 5)} == {"measured"}


def test_a_runner_that_gets_no_thread_reports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("can't start")))
    findings = run_gates([ScriptedGate(_good)], [TARGET], 5)
    assert {f.status for f in findings} == {"unavailable"}


def test_two_gates_of_the_same_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same name"):
        GateRunner([ScriptedGate(_good), ScriptedGate(_good)])
