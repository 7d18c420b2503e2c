"""Runs gates side by side under a time limit. Whatever goes wrong becomes an `unavailable` finding."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from safety.evidence import Evidence
from safety.findings import Finding, unavailable
from safety.gates.base import Gate, GateUnavailable


class GateRunner:
    """Holds the gates and remembers which of them hang.

    A gate runs in its own daemon thread, one thread a gate and call. When the time is up the verdict goes on without
    it. While an abandoned thread of a gate still lives, that gate is unavailable at once, so that hanging threads do
    not pile up with every job.
    """

    def __init__(self, gates: Sequence[Gate], time_limit_s: float = 30.0) -> None:
        names = [gate.name for gate in gates]
        if len(set(names)) != len(names):
            raise ValueError("two gates have the same name")
        self._gates = tuple(gates)
        self._time_limit_s = time_limit_s
        self._abandoned: dict[str, list[threading.Thread]] = {}
        self._lock = threading.Lock()

    def run(self, evidence: Sequence[Evidence]) -> list[Finding]:
        """Return every finding that the gates owe for this evidence, in the order of the gates and of the evidence."""
        deadline = time.monotonic() + self._time_limit_s
        examinations = [_Examination(gate, evidence) for gate in self._gates]
        for examination in examinations:
            if self._hangs(examination.gate.name):
                examination.refuse("still hanging from an earlier picture")
            else:
                examination.start()
        for examination in examinations:
            if not examination.wait(deadline - time.monotonic()):
                with self._lock:
                    self._abandoned.setdefault(examination.gate.name, []).append(examination.thread)
        return [finding for examination in examinations for finding in examination.findings()]

    def _hangs(self, name: str) -> bool:
        with self._lock:
            alive = [thread for thread in self._abandoned.get(name, ()) if thread.is_alive()]
            self._abandoned[name] = alive
            return bool(alive)


def run_gates(gates: Sequence[Gate], evidence: Sequence[Evidence], time_limit_s: float) -> list[Finding]:
    """Run the gates once. A server keeps a `GateRunner` instead, which remembers gates that hang."""
    return GateRunner(gates, time_limit_s).run(evidence)


class _Examination:
    """One gate at work on all the evidence of one call."""

    def __init__(self, gate: Gate, evidence: Sequence[Evidence]) -> None:
        self.gate = gate
        self._evidence = tuple(evidence)
        self._done: dict[int, list[Finding]] = {}
        self._reason = "time limit"
        self._given_up = False
        self.thread = threading.Thread(target=self._work, name=f"gate-{gate.name}", daemon=True)

    def start(self) -> None:
        try:
            self.thread.start()
        except RuntimeError as error:  # no more threads
            self.refuse(_describe(error))

    def refuse(self, reason: str) -> None:
        """Leave everything unavailable, for this reason."""
        self._reason = reason

    def wait(self, seconds: float) -> bool:
        """Wait for the gate; False where it is still busy when the time is up."""
        if self.thread.ident is None:
            return True
        self.thread.join(max(0.0, seconds))
        self._given_up = self.thread.is_alive()
        return not self._given_up

    def findings(self) -> list[Finding]:
        """Return what is there, and for all that is not, that it is unavailable."""
        done = dict(self._done)
        return [
            finding
            for index, evidence in enumerate(self._evidence)
            for finding in done.get(index) or _missing(self.gate, evidence, _owed(self.gate, evidence), self._reason)
        ]

    def _work(self) -> None:
        for index, evidence in enumerate(self._evidence):
            if self._given_up:  # nobody listens any more
                return
            self._done[index] = _examine(self.gate, evidence)


def _examine(gate: Gate, evidence: Evidence) -> list[Finding]:
    """Examine one picture. Whatever the gate does, this returns the findings it owes."""
    owed = _owed(gate, evidence)
    if not owed:
        return []
    start = time.perf_counter()
    try:
        answer = gate.examine(evidence)
        return _checked(gate, evidence, owed, answer)
    except BaseException as error:
        spent = (time.perf_counter() - start) * 1000
        return _missing(gate, evidence, owed, _describe(error), spent)


def _checked(gate: Gate, evidence: Evidence, owed: tuple[str, ...], answer: object) -> list[Finding]:
    """Keep of the answer what was owed; everything that is missing, doubled or malformed is unavailable."""
    if not isinstance(answer, Sequence):
        return _missing(gate, evidence, owed, f"returned {type(answer).__name__}")
    mine: dict[str, list[Finding]] = {}
    for item in answer:
        if isinstance(item, Finding) and item.gate == gate.name and item.subject == evidence.subject:
            mine.setdefault(item.name, []).append(item)
    return [
        mine[name][0]
        if len(mine.get(name, ())) == 1
        else unavailable(gate.name, evidence.subject, name, "not reported, or more than once")
        for name in owed
    ]


def _owed(gate: Gate, evidence: Evidence) -> tuple[str, ...]:
    try:
        return tuple(gate.owes(evidence.kind))
    except Exception:
        return ()


def _missing(
    gate: Gate, evidence: Evidence, owed: tuple[str, ...], note: str, milliseconds: float = 0.0
) -> list[Finding]:
    return [unavailable(gate.name, evidence.subject, name, note, milliseconds=milliseconds) for name in owed]


def _describe(error: BaseException) -> str:
    if isinstance(error, GateUnavailable):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:
        return type(error).__name__
