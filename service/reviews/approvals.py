"""What reviewers have approved: read by the worker, written by `service.reviews.cases`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.jobs.tables import Review


def is_approved(session: Session, judgement_id: int) -> bool:
    """Whether a person approved this very judgement.

    Nobody can approve an output, which they could not see, and an approval says nothing about a later judgement of the
    same pictures.
    """
    approval = (Review.judgement_id == judgement_id, Review.stage == "input", Review.decision == "approve")
    return session.scalar(select(Review.id).where(*approval)) is not None
