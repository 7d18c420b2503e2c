"""Reviewers: the people who decide a tenant's cases, and how they prove who they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.platform.database import Database, now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.tenants.passwords import hash_password, in_line, needs_rehash, password_matches, too_long
from service.tenants.sessions import close_all_sessions
from service.tenants.tables import Reviewer

MAX_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]+")
_MAX_EMAIL = 254  # RFC 3696, erratum 1690


class Answer(StrEnum):
    """What came of a try to log in. People are told only whether they are in."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    LOCKED = "locked"
    UNKNOWN = "unknown"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to log in, and the account that it was about, where there is one."""

    reviewer: Reviewer | None
    answer: Answer

    @property
    def accepted(self) -> bool:
        """Whether they are in."""
        return self.answer is Answer.ACCEPTED


def create_reviewer(session: Session, tenant_id: str, email: str, password: str) -> Reviewer:
    """Add a person who may review. Raises `Problem` for a malformed or taken address and for a weak password."""
    address = normal_email(email)
    if not _EMAIL.fullmatch(address) or len(address) > _MAX_EMAIL:
        raise Problem(422, "invalid_email", "This is not an e-mail address.")
    if find_reviewer(session, address) is not None:
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
    """Check a log-in. Unknown, locked and wrong each cost one check of a password.

    Raises `Problem` 429, and has done nothing, where too many checks are under way. The try is counted, and committed,
    before the password is looked at: a hundred tries at once are a hundred tries. The slow check itself holds no
    transaction. An account that does not exist costs no write.
    """
    if too_long(password):
        return Attempt(None, Answer.TOO_LONG)
    with in_line():
        reviewer, open_ = _begin_try(database, normal_email(email))
        matches = password_matches(reviewer.password_hash if reviewer else None, password)
        if reviewer is None:
            return Attempt(None, Answer.UNKNOWN)
        if not (open_ and matches):
            return Attempt(reviewer, Answer.WRONG if open_ else Answer.LOCKED)
        renewed = hash_password(password) if needs_rehash(reviewer.password_hash) else None
        with database.write() as session:
            stored = session.get_one(Reviewer, reviewer.id)
            stored.failed_logins, stored.locked_until = 0, None
            stored.password_hash = renewed or stored.password_hash
    return Attempt(stored, Answer.ACCEPTED)


def _begin_try(database: Database, address: str) -> tuple[Reviewer | None, bool]:
    """Count a try; returns the account, and whether it is open."""
    with database.read() as session:
        reviewer = find_reviewer(session, address)
    if reviewer is None or _is_locked(reviewer):
        return reviewer, False
    with database.write() as session:
        reviewer = find_reviewer(session, address, lock=True)
        return reviewer, reviewer is not None and _count_try(reviewer)


def remove_reviewer(session: Session, reviewer: Reviewer) -> int:
    """Take away the person's access at once; returns how many log-ins that ended. Their reviews keep their name."""
    reviewer.removed_at = now()
    return close_all_sessions(session, reviewer.id)


def reviewer_at(session: Session, email: str) -> Reviewer:
    """The person with this address, or `Problem` 404."""
    reviewer = find_reviewer(session, normal_email(email))
    if reviewer is None:
        raise not_found("reviewer")
    return reviewer


def normal_email(email: str) -> str:
    """The address as accounts are found by it: nobody has two that differ in case or in blanks around."""
    return email.strip().casefold()


def find_reviewer(session: Session, address: str, *, lock: bool = False) -> Reviewer | None:
    """The person with this address as `normal_email` writes it, who was not removed."""
    query = select(Reviewer).where(Reviewer.email == address, Reviewer.removed_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query)


def _count_try(reviewer: Reviewer) -> bool:
    """Count a failure in advance; returns False, and counts nothing, while the account is locked."""
    if _is_locked(reviewer):
        return False
    if reviewer.locked_until is not None:
        reviewer.failed_logins, reviewer.locked_until = 0, None
    reviewer.failed_logins += 1
    if reviewer.failed_logins >= MAX_FAILURES:
        reviewer.locked_until = now() + LOCKED_FOR
    return True


def _is_locked(reviewer: Reviewer) -> bool:
    return reviewer.locked_until is not None and reviewer.locked_until > now()
