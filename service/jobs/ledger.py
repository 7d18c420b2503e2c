"""The job ledger: which states there are, who may change them, and the leases that make a killed worker harmless.

Every change of state is a compare-and-set on the state (and, for workers, on the lease): two workers, a withdrawal
and a cancellation may race, and exactly one of them wins.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session

from service.jobs.tables import Job
from service.platform.database import now


class State(StrEnum):
    """Where a job is. The first four are a worker's, `in_review` a person's, the rest are ends."""

    QUEUED = "queued"
    SCREENING = "screening"
    RENDERING = "rendering"
    SEALING = "sealing"
    IN_REVIEW = "in_review"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


FOR_WORKERS = (State.QUEUED, State.SCREENING, State.RENDERING, State.SEALING)
UNFINISHED = (*FOR_WORKERS, State.IN_REVIEW)
_STOPPED = (State.FAILED, State.CANCELLED, State.WITHDRAWN)
_NEXT: dict[State, tuple[State, ...]] = {
    State.QUEUED: (State.SCREENING, *_STOPPED),
    State.SCREENING: (State.RENDERING, State.IN_REVIEW, State.REFUSED, *_STOPPED),
    # Back to screening: the policy in force is no longer the one that allowed it.
    State.RENDERING: (State.SEALING, State.SCREENING, State.REFUSED, *_STOPPED),
    # Back to rendering: the pictures of a crashed worker were only in its memory.
    State.SEALING: (State.DONE, State.RENDERING, State.REFUSED, *_STOPPED),
    State.IN_REVIEW: (State.RENDERING, State.REFUSED, State.CANCELLED, State.WITHDRAWN),
    State.DONE: (State.WITHDRAWN,),
    State.REFUSED: (),
    State.FAILED: (),
    State.CANCELLED: (),
    State.WITHDRAWN: (),
}


class LostRace(Exception):
    """The job is no longer in the state, or under the lease, that the caller believed."""


def claim(session: Session, worker: str, lease_seconds: float) -> Job | None:
    """Take the oldest job that no living worker holds, for `lease_seconds`. Counts the attempt."""
    at = now()
    job = session.scalar(
        select(Job)
        .where(Job.state.in_(FOR_WORKERS), or_(Job.lease_until.is_(None), Job.lease_until < at))
        .order_by(Job.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if job is None:
        return None
    job.lease_owner, job.lease_until = worker, at + timedelta(seconds=lease_seconds)
    job.attempts += 1
    session.flush()
    return job


def renew(session: Session, job_id: str, worker: str, lease_seconds: float) -> None:
    """Extend the lease; raises `LostRace` when another worker holds the job or it has ended."""
    until = now() + timedelta(seconds=lease_seconds)
    mine = (Job.id == job_id, Job.lease_owner == worker, Job.state.in_(FOR_WORKERS))
    _expect_one(session, update(Job).where(*mine).values(lease_until=until), job_id)


def move(
    session: Session, job_id: str, before: State, after: State, *, worker: str | None = None, **values: Any
) -> datetime:
    """Change the state from `before` to `after`, with other columns in the same statement; returns the time.

    `worker` must hold the lease where it is given. Raises `LostRace` and changes nothing when it lost.
    """
    if after not in _NEXT[before]:
        raise ValueError(f"a job cannot go from {before} to {after}")
    at = now()
    values |= {"state": after, "updated_at": at}
    if after not in FOR_WORKERS:
        values |= {"lease_owner": None, "lease_until": None}
    if after not in UNFINISHED and before != State.DONE:
        values["finished_at"] = at
    where = [Job.id == job_id, Job.state == before]
    if worker is not None:
        where += [Job.lease_owner == worker, Job.lease_until > at]
    _expect_one(session, update(Job).where(*where).values(**values), job_id)
    return at


def _expect_one(session: Session, statement: Any, job_id: str) -> None:
    result = session.execute(statement.execution_options(synchronize_session="fetch"))
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise LostRace(f"job {job_id} was changed by somebody else")


def give_back(session: Session, job_id: str, worker: str, *, after_s: float = 0.0, uncount: bool = False) -> None:
    """Give the job back, to be claimed again after `after_s` seconds; `uncount` takes the attempt back as well."""
    until = now() + timedelta(seconds=after_s) if after_s else None
    attempts = Job.attempts - 1 if uncount else Job.attempts
    mine = update(Job).where(Job.id == job_id, Job.lease_owner == worker)
    values = mine.values(lease_owner=None, lease_until=until, attempts=attempts)
    session.execute(values.execution_options(synchronize_session=False))
