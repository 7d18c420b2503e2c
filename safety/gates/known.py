"""Known content: the picture is none that was listed as not to be used, or taken down before."""

from __future__ import annotations

from collections.abc import Sequence

from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import Reporter
from safety.lists.pictures import PictureDirectory, hashes_to_look_up


class KnownPictureGate:
    """Finding `known.distance`: how many of 256 bits the picture's PDQ hash is off the nearest listed one."""

    name = "known"

    def __init__(self, directory: PictureDirectory) -> None:
        self._directory = directory

    def owes(self, kind: str) -> tuple[str, ...]:
        """Every kind of picture is looked up."""
        return ("known.distance",)

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Look the picture up; raises what the directory raises."""
        report = Reporter(self.name, evidence, None)
        nearest = self._directory.nearest(hashes_to_look_up(evidence.pixels), evidence.tenant)
        note = f"{nearest.entry or 'nothing'} of {nearest.size}"
        return [report.found("known.distance", nearest.distance, note=note)]
