"""What another policy would have made of what was judged before, and how two policies differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.desk import Record
from safety.policy import Policy
from safety.verdict import Verdict
from service.jobs.tables import Judgement


@dataclass
class Replay:
    """Stored evidence judged again: how many records, and which verdicts would change."""

    judged: int = 0
    skipped: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    changed: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "judged": self.judged,
            "skipped": self.skipped,
            "different": len(self.changed),
            "changes": dict(sorted(self.changes.items())),
            "jobs": self.changed,
        }


def replay(session: Session, policy: Policy, last: int) -> Replay:
    """Judge the last stored evidence under a policy. Judgements without evidence (consent missing) are skipped."""
    result = Replay()
    newest = select(Judgement).order_by(Judgement.id.desc()).limit(last)
    for judgement in session.scalars(newest):
        if not judgement.record:
            result.skipped += 1
            continue
        before = Verdict.from_json(judgement.verdict)
        after = Record.from_json(judgement.record).judge(policy)
        result.judged += 1
        if after.outcome is not before.outcome:
            result.changes[f"{before.outcome} to {after.outcome}"] += 1
            result.changed.append(
                {
                    "job": judgement.job_id,
                    "stage": judgement.stage,
                    "before": before.outcome.value,
                    "after": after.outcome.value,
                    "reasons": list(dict.fromkeys(reason.code for reason in after.deciding)),
                }
            )
    return result


def differences(a: Policy, b: Policy) -> list[str]:
    """How the second policy differs from the first, one line each; empty where they judge alike."""
    lines = []
    for name, before, after in (
        ("required", _required(a), _required(b)),
        ("unmeasured", _parts(a.document.unmeasured), _parts(b.document.unmeasured)),
        ("need", _parts(a.document.needs or []), _parts(b.document.needs or [])),
        ("rule", _parts(a.document.rules), _parts(b.document.rules)),
    ):
        lines += [f"- {name} {key}: {before[key]}" for key in before if key not in after]
        lines += [f"+ {name} {key}: {after[key]}" for key in after if key not in before]
        for key in before:
            if key in after and before[key] != after[key]:
                lines += [f"- {name} {key}: {before[key]}", f"+ {name} {key}: {after[key]}"]
    return lines


def _required(policy: Policy) -> dict[str, str]:
    return {f"of {kind}: {name}": "" for kind, names in policy.document.required.items() for name in names}


def _parts(parts: Any) -> dict[str, str]:
    """Each part in one line, by its code; parts that share a code are numbered."""
    found: dict[str, str] = {}
    for part in parts:
        code, number = part.code, 2
        while code in found:
            code, number = f"{part.code} ({number})", number + 1
        values = part.model_dump(mode="json", exclude_none=True, exclude={"code"})
        found[code] = ", ".join(f"{name} {value}" for name, value in values.items())
    return found
