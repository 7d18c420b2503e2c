"""Consent: the face in a source photo is the person who gave the grant."""

from __future__ import annotations

import math
from collections.abc import Sequence

from safety.evidence import Evidence, distance
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter, model_note


class ConsentGate:
    """Finding `consent.distance`: how far the farthest face of a source photo is from the grant's template.

    Every face in the photo counts, so that nobody's face rides along with the one that matches.
    """

    name = "consent"

    def __init__(self, embedder_digests: dict[str, str]) -> None:
        self._model = model_note(**embedder_digests)

    def owes(self, kind: str) -> tuple[str, ...]:
        """Examine sources only."""
        return ("consent.distance",) if kind == "source" else ()

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Compare; raises GateUnavailable where the template, the faces or their embeddings are missing."""
        report = Reporter(self.name, evidence, self._model)
        if evidence.template is None:
            raise GateUnavailable("no template to compare with")
        if not evidence.faces or evidence.embeddings is None:
            raise GateUnavailable("no face to compare")
        if len(evidence.embeddings) != len(evidence.faces):
            raise ValueError("embeddings do not belong to these faces")
        distances = [distance(row, evidence.template) for row in evidence.embeddings]
        # A distance that is not a number comes first: the finding is then refused as not finite.
        worst = max(range(len(distances)), key=lambda i: (math.isnan(distances[i]), distances[i]))
        return [report.found("consent.distance", distances[worst], region=evidence.faces[worst].box)]
