"""Log-ins of reviewers: a random token in a cookie, of which only a keyed hash is kept."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.platform.database import now
from service.tenants.keys import digest_of
from service.tenants.tables import Reviewer, ReviewerSession, Tenant

SESSION_FOR = timedelta(hours=8)  # a working day; it is not prolonged by use


@dataclass(frozen=True, slots=True)
class LogIn:
    """A live session with the person and the organisation that it belongs to."""

    session: ReviewerSession
    reviewer: Reviewer
    tenant: Tenant

    def sent_token(self, csrf: str) -> bool:
        """Whether a form carries this session's token against cross-site requests; compared in constant time."""
        return hmac.compare_digest(self.session.csrf.encode(), csrf.encode())


def open_session(session: Session, pepper: bytes, reviewer_id: str) -> str:
    """Begin a log-in and return the cookie's 256-bit token. Sessions that have run out are cleared away."""
    at = now()
    session.execute(delete(ReviewerSession).where(ReviewerSession.expires_at <= at))
    token = "rs_" + secrets.token_urlsafe(32)
    session.add(
        ReviewerSession(
            digest=digest_of(pepper, token),
            reviewer_id=reviewer_id,
            csrf=secrets.token_urlsafe(32),
            created_at=at,
            expires_at=at + SESSION_FOR,
        )
    )
    return token


def find_session(session: Session, pepper: bytes, token: str) -> LogIn | None:
    """The live log-in of this token. Looked up by keyed hash, so timing tells nothing of the stored ones."""
    query = (
        select(ReviewerSession, Reviewer, Tenant)
        .join(Reviewer, Reviewer.id == ReviewerSession.reviewer_id)
        .join(Tenant, Tenant.id == Reviewer.tenant_id)
        .where(
            ReviewerSession.digest == digest_of(pepper, token),
            ReviewerSession.expires_at > now(),
            Reviewer.removed_at.is_(None),
        )
    )
    row = session.execute(query).one_or_none()
    return None if row is None else LogIn(*row)


def close_session(session: Session, pepper: bytes, token: str) -> None:
    """End the log-in of this token, if there is one."""
    session.execute(delete(ReviewerSession).where(ReviewerSession.digest == digest_of(pepper, token)))


def close_all_sessions(session: Session, reviewer_id: str) -> int:
    """End every log-in of this person; returns how many were live."""
    mine = ReviewerSession.reviewer_id == reviewer_id
    live = session.scalar(select(func.count()).where(mine, ReviewerSession.expires_at > now()))
    session.execute(delete(ReviewerSession).where(mine))
    return live or 0
