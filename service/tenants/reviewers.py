"""Reviewers: the people who decide a tenant's cases, and how they prove who they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.platform.database import Database, now
from service.platform.ids import new_id
from service.platform.problems import Problem
from service.tenants.passwords import hash_password, needs_rehash, password_matches
from service.tenants.tables import Reviewer

MAX_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]+")
_MAX_EMAIL = 254  # RFC 3696, erratum 1690


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to log in: the account that it was about, where there is one, and whether it succeeded."""

    reviewer: Reviewer | None
    accepted: bool


def create_reviewer(session: Session, tenant_id: str, email: str, password: str) -> Reviewer:
    """Add a person who may review. Raises `Problem` for a malformed or taken address and for a weak password."""
    address = normal_email(email)
    if not _EMAIL.fullmatch(address) or len(address) > _MAX_EMAIL:
        raise Problem(422, "invalid_email", "This is not an e-mail address.")
    if _find(session, address) is not None:
        raise Problem(409, "email_taken", "There is a reviewer with this e-mail address already.")
    reviewer = Reviewer(
        id=new_id("usr"),
        tenant_id=tenant_id,
        email=address,
        password_hash=hash_password(password),
        created_at=now(),
        failed_logins=0,
    )
    session.add(reviewer)
    session.flush()
    return reviewer


def authenticate(database: Database, email: str, password: str) -> Attempt:
    """Check a log-in. Unknown, locked and wrong cost the same time and give the same answer.

    The try is counted, and committed, before the password is looked at: a hundred tries at once are a hundred tries.
    The slow check itself holds no transaction.
    """
    with database.write() as session:
        reviewer = _find(session, normal_email(email), lock=True)
        open_ = reviewer is not None and _count_try(reviewer)
    matches = password_matches(reviewer.password_hash if reviewer else None, password)
    if reviewer is None or not (open_ and matches):
        return Attempt(reviewer, accepted=False)
    renewed = hash_password(password) if needs_rehash(reviewer.password_hash) else None
    with database.write() as session:
        stored = session.get_one(Reviewer, reviewer.id)
        stored.failed_logins, stored.locked_until = 0, None
        stored.password_hash = renewed or stored.password_hash
    return Attempt(stored, accepted=True)


def normal_email(email: str) -> str:
    """The address as accounts are found by it: nobody has two that differ in case or in blanks around."""
    return email.strip().casefold()


def _find(session: Session, address: str, *, lock: bool = False) -> Reviewer | None:
    query = select(Reviewer).where(Reviewer.email == address)
    return session.scalar(query.with_for_update() if lock else query)


def _count_try(reviewer: Reviewer) -> bool:
    """Count a failure in advance; returns False, and counts nothing, while the account is locked."""
    at = now()
    if reviewer.locked_until is not None:
        if reviewer.locked_until > at:
            return False
        reviewer.failed_logins, reviewer.locked_until = 0, None
    reviewer.failed_logins += 1
    if reviewer.failed_logins >= MAX_FAILURES:
        reviewer.locked_until = at + LOCKED_FOR
    return True
