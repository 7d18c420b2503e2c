"""A worker's changes of state: the ledger's compare-and-set and the audit event, in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.audit.events import EventKind
from service.audit.recorder import record
from service.jobs.ledger import State, move
from service.jobs.tables import Job


def step(session: Session, job_id: str, before: State, after: State, *, worker: str | None, **values: Any) -> None:
    """Move the job on and log it. Raises `LostRace` and does neither where somebody else moved it."""
    move(session, job_id, before, after, worker=worker, **values)
    refs = {"job": job_id, "state_before": before.value, "state": after.value}
    tenant_id = session.get_one(Job, job_id).tenant_id
    record(session, EventKind.JOB_MOVED, tenant_id=tenant_id, actor=worker or "system", refs=refs)
