"""Where an input comes from: what its Content Credentials and watermark say about using it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter

_MARKS: Final = ("broken", "no_derivation", "own_output", "withdrawn")


@dataclass(frozen=True, slots=True)
class Origin:
    """What an input says of itself.

    `broken`: it carries Content Credentials that do not verify, so it was changed after it was signed. `no_derivation`:
    its maker forbids derived works. `own_output`: its watermark says that it was made here; `withdrawn`: and that it
    was taken down since.
    """

    broken: bool = False
    no_derivation: bool = False
    own_output: bool = False
    withdrawn: bool = False
    note: str = ""


class OriginReader(Protocol):
    """Reads marks. It raises where it cannot tell; a picture without marks is an ordinary answer."""

    def read(self, evidence: Evidence) -> Origin:
        """Return what the picture says of itself; `evidence.data` are the bytes as they were submitted."""


class OriginGate:
    """Findings `origin.broken`, `.no_derivation`, `.own_output` and `.withdrawn` about inputs, each 0 or 1."""

    name = "origin"

    def __init__(self, reader: OriginReader) -> None:
        self._reader = reader

    def owes(self, kind: str) -> tuple[str, ...]:
        """Inputs only: an output gets its marks after it was judged."""
        return tuple(f"origin.{name}" for name in _MARKS) if kind in ("source", "target") else ()

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Ask the reader; raises GateUnavailable where it does not answer with an `Origin`."""
        report = Reporter(self.name, evidence, None)
        origin = self._reader.read(evidence)
        if not isinstance(origin, Origin):
            raise GateUnavailable("the marks could not be read")
        return [report.found(f"origin.{name}", getattr(origin, name), note=origin.note) for name in _MARKS]
