"""Which pictures of a case a reviewer has uncovered. The audit event of a look is the permission for it."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.audit.events import EventKind
from service.audit.tables import AuditEvent
from service.jobs.tables import Job
from service.tenants.tables import Reviewer


def picture_ids(job: Job) -> list[str]:
    """The job's pictures: the sources in their order, then the target."""
    return [*job.source_asset_ids, job.target_asset_id]


def uncovered_pictures(session: Session, reviewer: Reviewer, job_id: str, since: datetime) -> dict[str, datetime]:
    """The pictures of the case that this reviewer has uncovered since then, with the time of the last look."""
    query = select(AuditEvent).where(
        AuditEvent.job_id == job_id,
        AuditEvent.tenant_id == reviewer.tenant_id,
        AuditEvent.kind == EventKind.ASSET_REVEALED.value,
        AuditEvent.at >= since,
    )
    looks: dict[str, datetime] = {}
    for event in session.scalars(query.order_by(AuditEvent.at)):
        leaf = json.loads(event.leaf)
        if leaf["actor"] == reviewer.id:
            looks[leaf["refs"]["asset"]] = event.at
    return looks
