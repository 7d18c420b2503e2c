"""Ending jobs from outside: cancellation by the tenant, and takedown when consent is withdrawn."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.jobs.ledger import UNFINISHED, State, move
from service.jobs.tables import Job, Mark
from service.platform.problems import Problem
from service.platform.vault import KeyOwner


def take_down(server: Assent, session: Session, job: Job, actor: str) -> None:
    """Stop the job if it runs, and make whatever it has sealed unreadable for good, however it ended.

    The caller holds the job's row lock, so that no worker moves it meanwhile.
    """
    before = State(job.state)
    if before in (*UNFINISHED, State.DONE):
        move(session, job.id, before, State.WITHDRAWN, reasons=[_WITHDRAWN])
        refs = {"job": job.id, "state_before": before.value}
        record(session, EventKind.JOB_WITHDRAWN, tenant_id=job.tenant_id, actor=actor, refs=refs)
    discard_output(server, session, job.id, "withdrawn")


_WITHDRAWN = {
    "code": "consent_withdrawn",
    "message": "The consent for this use was withdrawn.",
    "subject": "grant",
}


def cancel(server: Assent, session: Session, job: Job, actor: str) -> None:
    """Cancel a job that has not ended; 409 when it has."""
    session.refresh(job, with_for_update=True)
    before = State(job.state)
    if before not in UNFINISHED:
        raise Problem(409, "job_ended", f"The job has already ended as {before}.")
    move(session, job.id, before, State.CANCELLED)
    discard_output(server, session, job.id, "cancelled")
    refs = {"job": job.id, "state_before": before.value}
    record(session, EventKind.JOB_CANCELLED, tenant_id=job.tenant_id, actor=actor, refs=refs)


def discard_output(server: Assent, session: Session, job_id: str, status: str) -> None:
    """Destroy the key of a job's output and its bytes; the registry keeps the mark, so that copies are recognised."""
    server.vault.destroy(session, KeyOwner("job", job_id))
    server.blobs.delete(session, job_id)
    mark = session.query(Mark).filter_by(job_id=job_id).one_or_none()
    if mark is not None:
        mark.status = status
