"""The desk where pictures are screened before a render and checked after it: looks once, runs the gates, judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.engine import FaceEngine
from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.circumstances import UNKNOWN, Circumstances
from safety.evidence import Evidence
from safety.findings import Finding, from_json, to_json
from safety.gates import (
    AgeGate,
    ConsentGate,
    FaceGate,
    Gate,
    KnownPictureGate,
    NsfwGate,
    OriginGate,
    OutputIdentityGate,
    ProtectedPeopleGate,
)
from safety.gates.origin import OriginReader
from safety.lists.nothing import NobodyProtected, NoMarks, NothingKnown
from safety.lists.people import PeopleDirectory
from safety.lists.pictures import PictureDirectory
from safety.policy import Policy, Verdict
from safety.run import GateRunner


@dataclass(frozen=True)
class Record:
    """What is stored of an inspection and suffices to judge it again: pictures, findings about them, circumstances."""

    subjects: tuple[str, ...]
    findings: tuple[Finding, ...]
    circumstances: Circumstances = UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {
            "subjects": list(self.subjects),
            "findings": to_json(self.findings),
            "circumstances": self.circumstances.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it is anything else."""
        # Records written before circumstances were kept have none.
        circumstances = Circumstances.from_json(value.get("circumstances") or {})
        return cls(tuple(str(subject) for subject in value["subjects"]), from_json(value["findings"]), circumstances)

    def judge(self, policy: Policy) -> Verdict:
        """Judge the record under a policy version."""
        return policy.judge(self.findings, required=self.subjects, circumstances=self.circumstances)


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
        self,
        engine: FaceEngine,
        gates: Sequence[Gate],
        policy: Policy | Callable[[], Policy],
        *,
        time_limit_s: float = 30.0,
    ) -> None:
        self._policy = policy
        self._engine = engine
        self._runner = GateRunner(gates, time_limit_s)

    @property
    def policy(self) -> Policy:
        """The policy in force; asked anew for every judgement where it was given as a function."""
        return self._policy if isinstance(self._policy, Policy) else self._policy()

    @classmethod
    def standard(
        cls,
        engine: FaceEngine,
        runtime: OnnxRuntime,
        store: ModelStore,
        policy: Policy | Callable[[], Policy] | None = None,
        *,
        people: PeopleDirectory | None = None,
        pictures: PictureDirectory | None = None,
        origin: OriginReader | None = None,
        time_limit_s: float = 30.0,
    ) -> SafetyDesk:
        """Make the desk with every gate that ships, under the shipped policy unless another one is given.

        Without `people` nobody is protected, without `pictures` nothing is known, without `origin` no mark is read.
        """
        embedder = dict.fromkeys((engine.embedder.name,), ",".join(engine.embedder.digests))
        gates: list[Gate] = [
            NsfwGate(runtime, store),
            AgeGate(runtime, store),
            FaceGate(),
            ConsentGate(embedder),
            OutputIdentityGate(embedder),
            ProtectedPeopleGate(people or NobodyProtected(), embedder),
            KnownPictureGate(pictures or NothingKnown()),
            OriginGate(origin or NoMarks()),
        ]
        return cls(engine, gates, policy or Policy.shipped(), time_limit_s=time_limit_s)

    def screen(
        self,
        sources: Sequence[Pixels],
        target: Pixels,
        *,
        template: Floats | None,
        target_face: int | None = None,
        files: Mapping[str, bytes] | None = None,
        circumstances: Circumstances = UNKNOWN,
    ) -> Inspection:
        """Judge what was submitted: source photos, the target picture, and which of its faces is to be replaced.

        `template` is the grant's embedding, float32 (128,); without it the verdict is a refusal. `target_face` counts
        the target's faces from the largest; it may be left out where there is only one. `files` are the submitted
        bytes by subject (`source:0`, `target`), for the marks in them.
        """
        evidence = [
            replace(self._look(f"source:{number}", pixels), template=template) for number, pixels in enumerate(sources)
        ]
        evidence.append(self._look("target", target, chosen=target_face))
        evidence = [
            replace(item, tenant=circumstances.tenant, data=(files or {}).get(item.subject)) for item in evidence
        ]
        # Without any source photo the first one is missed, which the policy does not let pass.
        subjects = ["source:0", *(item.subject for item in evidence if item.subject != "source:0")]
        return self._judge(evidence, subjects, circumstances)

    def check_output(
        self,
        output: Pixels,
        *,
        template: Floats | None,
        target: Pixels,
        replaced: Face | None,
        circumstances: Circumstances = UNKNOWN,
    ) -> Inspection:
        """Judge a rendered picture; `target` is the untouched picture and `replaced` the face that gave way in it."""
        evidence = self._look("output", output)
        original: Floats | None = None
        if replaced is not None:
            evidence = replace(evidence, chosen=_at_same_place(evidence.faces or (), replaced))
            rows = self._embed(target, (replaced,))
            original = None if rows is None else rows[0]
        evidence = replace(evidence, template=template, original=original, tenant=circumstances.tenant)
        return self._judge([evidence], ["output"], circumstances)

    def inspect(
        self,
        pixels: Pixels,
        subject: str = "target",
        *,
        data: bytes | None = None,
        circumstances: Circumstances = UNKNOWN,
    ) -> Inspection:
        """Judge one picture alone, as a source, a target or an output; with nothing to compare it with."""
        evidence = replace(self._look(subject, pixels), tenant=circumstances.tenant, data=data)
        return self._judge([evidence], [subject], circumstances)

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

    def _judge(self, evidence: Sequence[Evidence], subjects: Sequence[str], circumstances: Circumstances) -> Inspection:
        record = Record(tuple(subjects), tuple(self._runner.run(evidence)), circumstances)
        return Inspection(record, record.judge(self.policy), {item.subject: item for item in evidence})


def _at_same_place(faces: Sequence[Face], wanted: Face) -> int:
    """Return the index of the face nearest to where the wanted one is; -1 where none is within half a width."""
    middle = wanted.mesh[:, :2].mean(axis=0)
    gaps = [float(np.linalg.norm(face.mesh[:, :2].mean(axis=0) - middle)) for face in faces]
    best = min(range(len(gaps)), key=gaps.__getitem__, default=-1)
    return best if best >= 0 and gaps[best] < wanted.width / 2 else -1
