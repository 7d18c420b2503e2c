"""What reviewers have approved: read by the worker, written by `service.reviews.cases`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.jobs.tables import Review


def approved_stages(session: Session, job_id: str) -> frozenset[str]:
    """The stages of a job that a person approved."""
    approved = select(Review.stage).where(Review.job_id == job_id, Review.decision == "approve")
    return frozenset(session.scalars(approved))
