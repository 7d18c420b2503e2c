"""What every gate promises, and the helper that lets a gate write findings without repeating itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Protocol, SupportsFloat

from safety.evidence import Evidence
from safety.findings import Finding, measured


class GateUnavailable(Exception):
    """A gate cannot measure this evidence; the text says why and lands in the findings."""


class Gate(Protocol):
    """Measures one kind of risk.

    A gate may raise whatever it likes, hang, or return nonsense: `safety.run` turns all of it into findings that say
    `unavailable`. It must be safe to use from several threads.
    """

    name: str

    def owes(self, kind: str) -> tuple[str, ...]:
        """Return the names of the findings that the gate owes for this kind of picture; empty where it has none."""

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Return exactly the findings that are owed for the evidence's kind."""


class Reporter:
    """Writes the findings of one examination: fills in gate, subject, models and the time since it was made."""

    def __init__(self, gate: str, evidence: Evidence, model: str | None) -> None:
        self._gate = gate
        self._subject = evidence.subject
        self._model = model
        self._start = time.perf_counter()

    def found(
        self, name: str, score: SupportsFloat, *, region: Iterable[float] | None = None, note: str = ""
    ) -> Finding:
        """Return a measured finding; raises ValueError where the score is not finite."""
        return measured(
            self._gate,
            self._subject,
            name,
            score,
            region=region,
            model=self._model,
            milliseconds=(time.perf_counter() - self._start) * 1000,
            note=note,
        )


def model_note(**digests: str) -> str:
    """Return the text that names models with their digests: `age@sha256:…, …`."""
    return ", ".join(f"{name}@sha256:{digest}" for name, digest in digests.items())
