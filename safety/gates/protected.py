"""Protected people: nobody in a picture is on a list of those whose faces are not to be used."""

from __future__ import annotations

from collections.abc import Sequence

from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter, model_note
from safety.lists.people import PeopleDirectory, match_limit


class ProtectedPeopleGate:
    """Findings about every face of every picture.

    `protected.distance` is the smallest distance of a face to a protected person, at most .5. `protected.margin` is
    that distance less the limit that fits the number of people listed: below 0 it may be that person.
    """

    name = "protected"

    def __init__(self, directory: PeopleDirectory, embedder_digests: dict[str, str]) -> None:
        self._directory = directory
        self._model = model_note(**embedder_digests)

    def owes(self, kind: str) -> tuple[str, ...]:
        """Every kind of picture is looked at."""
        return ("protected.distance", "protected.margin")

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Look every face up; raises GateUnavailable where there is none, and what the directory raises."""
        report = Reporter(self.name, evidence, self._model)
        if not evidence.faces or evidence.embeddings is None:
            raise GateUnavailable("no face to look up")
        if len(evidence.embeddings) != len(evidence.faces):
            raise ValueError("embeddings do not belong to these faces")
        matches = self._directory.nearest(evidence.embeddings, evidence.tenant)
        if len(matches) != len(evidence.faces):
            raise ValueError("the directory did not answer for every face")
        index = min(range(len(matches)), key=lambda i: matches[i].distance)
        nearest, box = matches[index], evidence.faces[index].box
        note = f"{nearest.entry or 'nobody'} of {nearest.size}"
        return [
            report.found("protected.distance", nearest.distance, region=box, note=note),
            report.found("protected.margin", nearest.distance - match_limit(nearest.size), region=box, note=note),
        ]
