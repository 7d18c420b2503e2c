"""Cases: jobs that a person must decide, and the decision, which is evidence like any other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.consents.grants import obstacle
from service.jobs.ledger import LostRace, State, move
from service.jobs.submission import find_job
from service.jobs.tables import Job, Judgement, Review
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem
from service.reviews.looks import picture_ids, uncovered_pictures
from service.tenants.tables import Reviewer

Decision = Literal["approve", "refuse"]
_REFUSED = {"code": "refused_by_reviewer", "message": "A reviewer refused the request.", "subject": "job"}
_NO_CONSENT = "The consent did not stand any more when the case was decided."


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

    @property
    def codes(self) -> list[str]:
        """The codes of the verdict's reasons, the gravest first, each once."""
        return list(dict.fromkeys(reason["code"] for reason in self.verdict["reasons"]))


def queue(session: Session, tenant_id: str, limit: int = 100) -> list[Case]:
    """The tenant's open cases, longest waiting first."""
    newest = select(Judgement.job_id, func.max(Judgement.id).label("id")).group_by(Judgement.job_id).subquery()
    query = (
        select(Job, Judgement)
        .join(newest, newest.c.job_id == Job.id)
        .join(Judgement, Judgement.id == newest.c.id)
        .where(Job.tenant_id == tenant_id, Job.state == State.IN_REVIEW)
        .order_by(Job.updated_at, Job.id)
        .limit(limit)
    )
    return [Case(job, judgement) for job, judgement in session.execute(query)]


def waiting(session: Session, tenant_id: str) -> int:
    """How many of the tenant's cases are open."""
    query = select(func.count()).where(Job.tenant_id == tenant_id, Job.state == State.IN_REVIEW)
    return session.scalar(query) or 0


def open_case(session: Session, tenant_id: str, job_id: str) -> Case:
    """One open case; 404 for others', 409 when it is decided already."""
    job = find_job(session, tenant_id, job_id)
    if job.state != State.IN_REVIEW:
        raise _decided(f"The job is {job.state.replace('_', ' ')}; there is nothing to decide.")
    newest = select(Judgement).where(Judgement.job_id == job.id).order_by(Judgement.id.desc()).limit(1)
    return Case(job, session.scalars(newest).one())


def decide(
    server: Assent,
    session: Session,
    reviewer: Reviewer,
    job_id: str,
    decision: Decision,
    *,
    note: str,
    judgement_id: int | None = None,
) -> State:
    """Write the decision and let the job go on or end. An approval without consent that stands ends it as refused.

    `judgement_id` is what the reviewer had before them: 409 when another has taken its place since, and 409
    `pictures_covered` for an approval by somebody who has not uncovered every picture of it. Of two reviewers who
    decide at once, the second gets 409.
    """
    case = open_case(session, reviewer.tenant_id, job_id)
    if judgement_id is not None and judgement_id != case.judgement.id:
        raise _decided("The case has changed since you opened it.")
    job = case.job
    reason = _reason_against(session, job, decision)
    if reason is None:
        _require_looks(session, reviewer, case)
    after = State.RENDERING if reason is None else State.REFUSED
    # Before the review is added: whoever loses the race must not have written anything.
    try:
        changed = {"attempts": 0} if reason is None else {"reasons": [*job.reasons, reason]}
        move(session, job.id, State.IN_REVIEW, after, **changed)
    except LostRace:
        raise _decided("Somebody else has just decided this case.") from None
    review = Review(
        id=new_id("rev"),
        job_id=job.id,
        judgement_id=case.judgement.id,
        stage=case.judgement.stage,
        reviewer_id=reviewer.id,
        decision=decision,
        note=note,
        created_at=now(),
    )
    session.add(review)
    _record_decision(server, session, job, review)
    if reason is not None:
        _record_refusal(session, job, review, reason["code"])
    server.wake_workers()
    return after


def _reason_against(session: Session, job: Job, decision: Decision) -> dict[str, str] | None:
    """Why the job ends here; None where it goes on."""
    if decision == "refuse":
        return _REFUSED
    code = obstacle(session, job.tenant_id, job.grant_id, job.purpose)
    return None if code is None else {"code": code, "message": _NO_CONSENT, "subject": "grant"}


def covered_pictures(session: Session, reviewer: Reviewer, case: Case) -> frozenset[str]:
    """The pictures that this reviewer has not uncovered since the judgement."""
    seen = uncovered_pictures(session, reviewer, case.job.id, since=case.judgement.created_at)
    return frozenset(picture_ids(case.job)) - seen.keys()


def _require_looks(session: Session, reviewer: Reviewer, case: Case) -> None:
    """Raise `Problem` 409 unless the reviewer has seen what they approve."""
    if case.judgement.stage != "input":
        raise Problem(409, "output_not_shown", "A rendered picture cannot be approved, because nobody can see it.")
    if covered_pictures(session, reviewer, case):
        raise Problem(409, "pictures_covered", "Uncover and look at every picture before you approve.")


def _record_decision(server: Assent, session: Session, job: Job, review: Review) -> None:
    record(
        session,
        EventKind.REVIEW_DECIDED,
        tenant_id=job.tenant_id,
        actor=review.reviewer_id,
        refs={"job": job.id, "review": review.id, "stage": review.stage, "decision": review.decision},
        payload={"note": review.note},
        key_owner=server.tenant_key(job.tenant_id),
    )


def _record_refusal(session: Session, job: Job, review: Review, code: str) -> None:
    refs = {"job": job.id, "review": review.id, "stage": review.stage, "code": code}
    refs |= {"state_before": State.IN_REVIEW.value}
    record(session, EventKind.JOB_REFUSED, tenant_id=job.tenant_id, actor=review.reviewer_id, refs=refs)


def _decided(detail: str) -> Problem:
    return Problem(409, "case_decided", detail)
