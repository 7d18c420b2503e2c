"""Whether there is a face that can be worked with: none, several, too small, turned away."""

from __future__ import annotations

from collections.abc import Sequence

from safety.evidence import Evidence
from safety.findings import Finding
from safety.gates.base import GateUnavailable, Reporter


class FaceGate:
    """Findings that let the caller be told what is wrong with a picture.

    `face.missing` and `face.ambiguous` are 0 or 1: no face at all; several, without saying which one is meant.
    `face.width` is the ear-to-ear width in pixels of the face in question, `face.turn` its yaw in degrees to either
    side, `face.tilt` its pitch. Where several faces are there and none is chosen, the largest is measured.
    """

    name = "face"

    def owes(self, kind: str) -> tuple[str, ...]:
        """Every kind of picture has a face in question."""
        return ("face.missing", "face.ambiguous", "face.width", "face.turn", "face.tilt")

    def examine(self, evidence: Evidence) -> Sequence[Finding]:
        """Describe the face in question; raises GateUnavailable where faces could not be looked for."""
        if evidence.faces is None:
            raise GateUnavailable("the picture could not be searched for faces")
        report = Reporter(self.name, evidence, None)
        missing = not evidence.faces or (evidence.chosen is not None and evidence.face is None)
        ambiguous = not missing and evidence.face is None
        found = [report.found("face.missing", missing), report.found("face.ambiguous", ambiguous)]
        if missing:
            return found
        face = evidence.face or evidence.faces[0]
        measures = (
            ("face.width", face.width),
            ("face.turn", abs(face.pose.yaw)),
            ("face.tilt", abs(face.pose.pitch)),
        )
        return found + [report.found(name, value, region=face.box) for name, value in measures]
