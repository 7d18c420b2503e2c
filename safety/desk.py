"""The desk where pictures are screened before a render and checked after it: looks once, runs the gates, judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.evidence import Evidence
from safety.findings import Finding, from_json, to_json
from safety.gates import AgeGate, ConsentGate, FaceGate, Gate, NsfwGate, OutputIdentityGate
from safety.policy import Policy, Verdict
from safety.run import GateRunner


@dataclass(frozen=True)
class Record:
    """What is stored of an inspection and suffices to judge it again: which pictures, and the findings about them."""

    subjects: tuple[str, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {"subjects": list(self.subjects), "findings": to_json(self.findings)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it is anything else."""
        return cls(tuple(str(subject) for subject in value["subjects"]), from_json(value["findings"]))

    def judge(self, policy: Policy) -> Verdict:
        """Judge the record under a policy version."""
        return policy.judge(self.findings, required=self.subjects)


@dataclass(frozen=True)
class Inspection:
    """The outcome of one visit to the desk. `evidence` holds the pictures and faces by subject, for the renderer."""

    record: Record
    verdict: Verdict
    evidence: Mapping[str, Evidence]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that the gates found."""
        return self.record.findings


class SafetyDesk:
    """Holds the engine, the gates and the policy in force. Safe to share between threads; never raises on pictures."""

    def __init__(
        self, engine: FaceEngine, gates: Sequence[Gate], policy: Policy, *, time_limit_s: float = 30.0
    ) -> None:
        self.policy = policy
        self._engine = engine
        self._runner = GateRunner(gates, time_limit_s)

    @classmethod
    def standard(
        cls,
        engine: FaceEngine,
        runtime: OnnxRuntime,
        store: ModelStore,
        policy: Policy | None = None,
        *,
        time_limit_s: float = 30.0,
    ) -> SafetyDesk:
        """Make the desk with every gate that ships, under the shipped policy unless another one is given."""
        embedder = dict.fromkeys((engine.embedder.name,), ",".join(engine.embedder.digests))
        gates: list[Gate] = [
            NsfwGate(runtime, store),
            AgeGate(runtime, store),
            FaceGate(),
            ConsentGate(embedder),
            OutputIdentityGate(embedder),
        ]
        return cls(engine, gates, policy or Policy.shipped(), time_limit_s=time_limit_s)

    def screen(
        self,
        sources: Sequence[Pixels],
        target: Pixels,
        *,
        template: Floats | None,
        target_face: int | None = None,
    ) -> Inspection:
        """Judge what was submitted: source photos, the target picture, and which of its faces is to be replaced.

        `template` is the grant's embedding, float32 (128,); without it the verdict is a refusal. `target_face` counts
        the target's faces from the largest; it may be left out where there is only one.
        """
        evidence = [
            replace(self._look(f"source:{number}", pixels), template=template) for number, pixels in enumerate(sources)
        ]
        evidence.append(self._look("target", target, chosen=target_face))
        # Without any source photo the first one is missed, which the policy does not let pass.
        subjects = ["source:0", *(item.subject for item in evidence if item.subject != "source:0")]
        return self._judge(evidence, subjects)

    def check_output(
        self, output: Pixels, *, template: Floats | None, target: Pixels, replaced: Face | None
    ) -> Inspection:
        """Judge a rendered picture; `target` is the untouched picture and `replaced` the face that gave way in it."""
        evidence = self._look("output", output)
        original: Floats | None = None
        if replaced is not None:
            evidence = replace(evidence, chosen=_at_same_place(evidence.faces or (), replaced))
            rows = self._embed(target, (replaced,))
            original = None if rows is None else rows[0]
        return self._judge([replace(evidence, template=template, original=original)], ["output"])

    def _look(self, subject: str, pixels: Pixels, chosen: int | None = None) -> Evidence:
        faces: tuple[Face, ...] | None
        try:
            faces = tuple(self._engine.look(pixels))
        except Exception:
            return Evidence(subject, pixels, None, chosen)
        return Evidence(subject, pixels, faces, chosen, self._embed(pixels, faces))

    def _embed(self, pixels: Pixels, faces: Sequence[Face]) -> Floats | None:
        try:
            rows = np.asarray(self._engine.embed(pixels, faces), np.float32)
        except Exception:
            return None
        return rows if rows.ndim == 2 and len(rows) == len(faces) else None

    def _judge(self, evidence: Sequence[Evidence], subjects: Sequence[str]) -> Inspection:
        record = Record(tuple(subjects), tuple(self._runner.run(evidence)))
        return Inspection(record, record.judge(self.policy), {item.subject: item for item in evidence})


def _at_same_place(faces: Sequence[Face], wanted: Face) -> int:
    """Return the index of the face nearest to where the wanted one is; -1 where none is within half a width."""
    middle = wanted.mesh[:, :2].mean(axis=0)
    gaps = [float(np.linalg.norm(face.mesh[:, :2].mean(axis=0) - middle)) for face in faces]
    best = min(range(len(gaps)), key=gaps.__getitem__, default=-1)
    return best if best >= 0 and gaps[best] < wanted.width / 2 else -1
