"""Cases: jobs that a person must decide, and the decision, which is evidence like any other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.consents.grants import obstacle
from service.jobs.ledger import State, move
from service.jobs.submission import find_job
from service.jobs.tables import Job, Judgement, Review
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem
from service.tenants.tables import Reviewer

Decision = Literal["approve", "refuse"]
_REFUSED = {"code": "review.refused", "message": "A reviewer refused the request.", "subject": "job"}


@dataclass(frozen=True, slots=True)
class Case:
    """A job in review with the judgement that brought it there."""

    job: Job
    judgement: Judgement

    @property
    def waiting_since(self) -> datetime:
        """When the verdict sent it to review."""
        return self.judgement.created_at

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict: outcome, reasons, policy version and digest."""
        return self.judgement.verdict


def queue(session: Session, tenant_id: str) -> list[Case]:
    """The tenant's open cases, longest waiting first."""
    jobs = select(Job).where(Job.tenant_id == tenant_id, Job.state == State.IN_REVIEW).order_by(Job.updated_at)
    return [open_case(session, tenant_id, job.id) for job in session.scalars(jobs)]


def open_case(session: Session, tenant_id: str, job_id: str) -> Case:
    """One open case; 404 for others', 409 when it is decided already."""
    job = find_job(session, tenant_id, job_id)
    if job.state != State.IN_REVIEW:
        raise Problem(409, "case_decided", f"The job is {job.state}; there is nothing to decide.")
    newest = select(Judgement).where(Judgement.job_id == job.id).order_by(Judgement.id.desc()).limit(1)
    return Case(job, session.scalars(newest).one())


def decide(
    server: Assent, session: Session, reviewer: Reviewer, job_id: str, decision: Decision, note: str
) -> State:
    """Write the decision and let the job go on or end. Consent that fell away meanwhile ends it as withdrawn."""
    case = open_case(session, reviewer.tenant_id, job_id)
    job = case.job
    review = Review(
        id=new_id("rev"),
        job_id=job.id,
        stage=case.judgement.stage,
        reviewer_id=reviewer.id,
        decision=decision,
        note=note,
        created_at=now(),
    )
    session.add(review)
    if decision == "approve" and obstacle(session, job.tenant_id, job.grant_id, job.purpose) is None:
        after = State.RENDERING
        move(session, job.id, State.IN_REVIEW, after, attempts=0)
    else:
        after = State.REFUSED
        move(session, job.id, State.IN_REVIEW, after, reasons=[*job.reasons, _REFUSED])
    record(
        session,
        EventKind.REVIEW_DECIDED,
        tenant_id=job.tenant_id,
        actor=reviewer.id,
        refs={"job": job.id, "review": review.id, "stage": review.stage, "decision": decision},
        payload={"note": note},
        key_owner=server.tenant_key(job.tenant_id),
    )
    server.wake_workers()
    return after


def approved_stages(session: Session, job_id: str) -> frozenset[str]:
    """The stages of a job that a person approved."""
    approved = select(Review.stage).where(Review.job_id == job_id, Review.decision == "approve")
    return frozenset(session.scalars(approved))
