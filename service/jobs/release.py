"""Release: the one place where an output becomes readable, after its seal and after its leaf in the audit log."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.audit.sequencer import sequence_now
from service.audit.tables import AuditLeaf
from service.jobs.ledger import State, move
from service.jobs.screening import consent_of, refuse_for_consent
from service.jobs.tables import Job, Mark
from service.jobs.takedown import discard_output
from service.jobs.transitions import step
from service.platform.blobs import BlobMissing
from service.platform.problems import Problem
from service.platform.vault import KeyOwner, VaultError


def release(server: Assent, worker: str, job_id: str) -> None:
    """Make a sealed output readable. Without a complete seal the job goes back to rendering."""
    with server.database.write() as session:
        mark = session.query(Mark).filter_by(job_id=job_id, status="sealed").one_or_none()
        if mark is None or not _is_whole(server, session, mark):
            # Its worker died before the seal was written: the pixels were only in its memory.
            step(session, job_id, State.SEALING, State.RENDERING, worker=worker)
            return
        event_id = mark.sealed_event_id
    if server.sequencer.problem is not None:
        raise Problem(503, "audit_log_damaged", "The audit log contradicts itself; nothing is released.")
    sequence_now(server.database)
    with server.database.write() as session:
        job = session.get_one(Job, job_id)
        code, _ = consent_of(server, session, job, hold=True)
        if code is not None:
            discard_output(server, session, job_id, "withdrawn")
            refuse_for_consent(server, session, job_id, State.SEALING, code, worker=worker)
            return
        if session.scalar(select(AuditLeaf.position).where(AuditLeaf.event_id == event_id)) is None:
            raise Problem(500, "not_logged", "The seal is not in the audit log; nothing is released.")
        mark = session.query(Mark).filter_by(job_id=job_id, status="sealed").one()
        mark.status = "live"
        move(session, job_id, State.SEALING, State.DONE, worker=worker, reasons=[])
        refs = {"job": job_id, "output_digest": mark.sha256, "sealed_event": event_id}
        record(session, EventKind.JOB_RELEASED, tenant_id=job.tenant_id, actor=worker, refs=refs)


def _is_whole(server: Assent, session: Session, mark: Mark) -> bool:
    """Whether the stored bytes are those that were sealed."""
    try:
        data = server.blobs.get(session, KeyOwner("job", mark.job_id), mark.job_id)
    except (BlobMissing, VaultError):
        return False
    return hashlib.sha256(data).hexdigest() == mark.sha256
