"""Liveness sessions: drawn, and found again by their owner or by the token that uploads to them."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from safety.liveness.challenge import Challenge
from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.liveness.tables import LivenessSession
from service.platform.access import Caller, unauthorised
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.subjects.register import find_subject
from service.tenants.keys import digest_of

OPEN = ("created", "in_progress")
_LOCK_OUT = timedelta(minutes=15)


def open_session(
    server: Assent, caller: Caller, subject_id: str, capture_source: Literal["camera", "file"]
) -> tuple[LivenessSession, str]:
    """Draw a challenge; returns the session and its upload token, which is told only now."""
    if capture_source == "file" and server.settings.file_captures != "accept":
        hint = "Capture with a camera, or set ASSENT_FILE_CAPTURES=accept where recorded captures are acceptable."
        raise Problem(403, "file_capture_refused", "This server takes no recorded captures.", hint=hint)
    token = "lt_" + secrets.token_urlsafe(32)
    with server.database.write() as session:
        # Both are counted below: nobody else opens a session for this person or this tenant until this one is in.
        server.lock_tenant(session, caller.tenant_id)
        subject = find_subject(session, caller.tenant_id, subject_id, lock=True)
        at = now()
        _check_lock_out(server, session, subject.id, caller.tenant_id, at)
        liveness = LivenessSession(
            id=new_id("liv"),
            tenant_id=caller.tenant_id,
            subject_id=subject.id,
            state="created",
            capture_source=capture_source,
            challenge=Challenge.draw().to_json(),
            token_digest=digest_of(server.pepper, token),
            created_at=at,
            expires_at=at + timedelta(seconds=server.settings.liveness_seconds),
        )
        session.add(liveness)
        refs = {"liveness_session": liveness.id, "subject": subject.id, "capture": capture_source}
        kind = EventKind.LIVENESS_STARTED
        record(session, kind, tenant_id=caller.tenant_id, actor=caller.actor, refs=refs)
    return liveness, token


def _check_lock_out(server: Assent, session: Session, subject_id: str, tenant_id: str, at: datetime) -> None:
    # Sessions that were only opened count too: a recorded clip must not be able to draw until the order fits. And they
    # count for the tenant, since subjects cost nothing.
    tries, tenants_tries = server.settings.liveness_tries, server.settings.liveness_tries_tenant
    if _not_passed(session, LivenessSession.subject_id == subject_id, at) >= tries:
        raise _locked("liveness_locked", "This person has opened too many liveness sessions without passing.")
    if _not_passed(session, LivenessSession.tenant_id == tenant_id, at) >= tenants_tries:
        raise _locked("liveness_tenant_locked", "Too many liveness sessions were opened here without being passed.")


def _not_passed(session: Session, whose: ColumnElement[bool], at: datetime) -> int:
    recent = select(func.count()).where(
        whose, LivenessSession.state != "passed", LivenessSession.created_at > at - _LOCK_OUT
    )
    return session.scalar(recent) or 0


def _locked(code: str, detail: str) -> Problem:
    headers = {"Retry-After": str(int(_LOCK_OUT.total_seconds()))}
    return Problem(429, code, detail, hint="Try again in a quarter of an hour.", headers=headers)


def session_of_token(server: Assent, session: Session, session_id: str, token: str | None) -> LivenessSession:
    """The open session that this token may upload to.

    Raises 401 for a wrong token, 410 for an erased subject, and 409 or 410 for an ended session.
    """
    liveness = session.get(LivenessSession, session_id)
    if token is None or liveness is None or liveness.token_digest != digest_of(server.pepper, token):
        raise unauthorised("This needs the token of the liveness session.", "Send it as 'Authorization: Bearer lt_…'.")
    find_subject(session, liveness.tenant_id, liveness.subject_id)
    check_open(liveness)
    return liveness


def check_open(liveness: LivenessSession) -> None:
    """Raise 410 for a session that has run out and 409 for one that was judged."""
    if liveness.state == "expired" or (liveness.state in OPEN and liveness.expires_at <= now()):
        raise Problem(410, "liveness_expired", "The liveness session has expired.", hint="Start a new one.")
    if liveness.state not in OPEN:
        raise Problem(409, "liveness_ended", f"The liveness session has ended as {liveness.state}.")


def find_session(session: Session, tenant_id: str, session_id: str) -> LivenessSession:
    """The tenant's session, or 404. One that ran out says so."""
    liveness = session.get(LivenessSession, session_id)
    if liveness is None or liveness.tenant_id != tenant_id:
        raise not_found("liveness session")
    if liveness.state in OPEN and liveness.expires_at <= now():
        liveness.state = "expired"
    return liveness
