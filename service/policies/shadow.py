"""Judging beside the live policy: shadow versions see every record, and only their differences are counted."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.desk import Record
from safety.policy import PolicyError
from safety.verdict import Verdict
from service.policies.store import SHADOW, policy_of, versions
from service.policies.tables import PolicyVersion, ShadowCount

_log = structlog.get_logger(__name__)


def judge_in_shadow(session: Session, record: Record, live: Verdict) -> None:
    """Count how every shadow version would have judged. It never changes or holds up the live verdict."""
    for row in versions(session, SHADOW):
        try:
            verdict = record.judge(policy_of(row))
        except PolicyError:
            _log.exception("shadow_policy_damaged", policy=row.id)
            continue
        key = (row.id, live.policy_version, live.outcome.value, verdict.outcome.value)
        counted = session.get(ShadowCount, key, with_for_update=True)
        if counted is None:
            policy_id, version, before, after = key
            session.add(
                ShadowCount(
                    policy_id=policy_id, live_version=version, live_outcome=before, shadow_outcome=after, count=1
                )
            )
            session.flush()
        else:
            counted.count += 1


def shadow_report(session: Session) -> list[dict[str, Any]]:
    """For every shadow version: how many records it judged, how many otherwise, and which outcomes changed."""
    report = []
    for row in versions(session, SHADOW):
        counts = session.scalars(select(ShadowCount).where(ShadowCount.policy_id == row.id)).all()
        changes: dict[str, int] = {}
        for counted in counts:
            if counted.live_outcome != counted.shadow_outcome:
                name = f"{counted.live_outcome} to {counted.shadow_outcome}"
                changes[name] = changes.get(name, 0) + counted.count
        report.append(
            {
                "version": version_of(row),
                "judged": sum(counted.count for counted in counts),
                "different": sum(changes.values()),
                "changes": changes,
            }
        )
    return report


def version_of(row: PolicyVersion) -> str:
    """How a version reads: `standard/2`."""
    return f"{row.name}/{row.version}"
