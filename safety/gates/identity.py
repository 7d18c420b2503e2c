"""Identity of the output: the rendered face is the consented person, and no longer the one it replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from safety.evidence import Evidence, distance
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter, model_note

# Below this distance two embeddings are the same person's (dlib, faces turned by less than 20 degrees).
SAME_PERSON: Final = 0.45


class OutputIdentityGate:
    """Findings about the swapped face of an output.

    `identity.distance` is its distance to the consented person's template. `identity.still_original` is how much
    nearer it is to the face it replaced than to that template: 0 where it is not, or where both are the same person.
    """

    name = "identity"

    def __init__(self, embedder_digests: dict[str, str]) -> None:
        self._model = model_note(**embedder_digests)

    def owes(self, kind: str) -> tuple[str, ...]:
        """Examine outputs only."""
        return ("identity.distance", "identity.still_original") if kind == "output" else ()

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Compare; raises GateUnavailable where one of the faces or embeddings is missing."""
        report = Reporter(self.name, evidence, self._model)
        index = evidence.index
        if evidence.template is None or evidence.original is None:
            raise GateUnavailable("no template or no original to compare with")
        if index is None or evidence.faces is None or evidence.embeddings is None:
            raise GateUnavailable("the swapped face was not found in the output")
        swapped = evidence.embeddings[index]
        to_template = distance(swapped, evidence.template)
        nearer = to_template - distance(swapped, evidence.original)
        if distance(evidence.original, evidence.template) <= SAME_PERSON:
            nearer = 0.0
        box = evidence.faces[index].box
        return [
            report.found("identity.distance", to_template, region=box),
            # NumPy's maximum keeps NaN, which is then refused as not finite; Python's max would make it 0.
            report.found("identity.still_original", float(np.maximum(nearer, 0.0)), region=box),
        ]
