"""Grants: given with a passed liveness session, checked at every use, withdrawn at any time."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
import rfc8785
from numpy.typing import NDArray
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.consents.tables import Grant
from service.jobs.tables import Job
from service.jobs.takedown import take_down
from service.liveness.tables import LivenessSession
from service.platform.access import Caller
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.platform.vault import KeyDestroyed, KeyOwner
from service.subjects.tables import Subject

Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,39}$", examples=["film_post_production"])]
MAX_TERM = timedelta(days=3652)  # ten years: the longest licence of a digital replica in the NO FAKES bill
_FRESH = timedelta(minutes=30)


def give_grant(
    server: Assent,
    caller: Caller,
    *,
    liveness_session_id: str,
    purposes: list[str],
    expires_at: datetime,
    statement: str,
    language: str,
    signed_name: str,
) -> Grant:
    """Turn a passed, unused, fresh liveness session into a grant. Raises `Problem` where it is none of these."""
    at = now()
    if not at < expires_at <= at + MAX_TERM:
        raise Problem(422, "grant_term", "A grant ends in the future and within ten years.")
    with server.database.write() as session:
        liveness = _usable_session(session, caller.tenant_id, liveness_session_id, at)
        subject = session.get_one(Subject, liveness.subject_id)
        owner = KeyOwner("subject", subject.id)
        signed = rfc8785.dumps({"statement": statement, "signed_name": signed_name})
        assert liveness.template is not None  # noqa: S101 - a passed session has one, see `_usable_session`
        template = server.vault.decrypt(session, owner, liveness.template, b"liveness_template")
        grant = Grant(
            id=new_id("grt"),
            tenant_id=caller.tenant_id,
            subject_id=subject.id,
            liveness_session_id=liveness.id,
            purposes=purposes,
            statement=server.vault.encrypt(session, owner, signed, b"grant_statement"),
            template=server.vault.encrypt(session, owner, template, b"grant_template"),
            granted_at=at,
            expires_at=expires_at,
        )
        grant.receipt = _receipt(grant, liveness, statement, language)
        grant.receipt_sha256 = hashlib.sha256(rfc8785.dumps(grant.receipt)).hexdigest()
        liveness.used_by_grant = grant.id
        session.add(grant)
        record(
            session,
            EventKind.GRANT_GIVEN,
            tenant_id=caller.tenant_id,
            actor=caller.actor,
            refs={"grant": grant.id, "subject": subject.id, "liveness_session": liveness.id},
            payload=grant.receipt | {"signed_name": signed_name},
            key_owner=owner,
        )
    return grant


def _usable_session(session: Session, tenant_id: str, session_id: str, at: datetime) -> LivenessSession:
    liveness = session.get(LivenessSession, session_id, with_for_update=True)
    if liveness is None or liveness.tenant_id != tenant_id:
        raise not_found("liveness session")
    if liveness.state != "passed" or liveness.template is None or liveness.finished_at is None:
        hint = "Let the person take a new liveness session."
        raise Problem(409, "liveness_not_passed", "The liveness session has not been passed.", hint=hint)
    if liveness.used_by_grant is not None:
        raise Problem(409, "liveness_used", "A liveness session is good for one grant, and this one was used.")
    if at - liveness.finished_at > _FRESH:
        raise Problem(409, "liveness_stale", "The liveness session was passed too long ago.")
    return liveness


def _receipt(grant: Grant, liveness: LivenessSession, statement: str, language: str) -> dict[str, Any]:
    """The consent receipt. It names nobody: its hash goes into every output made under the grant."""
    return {
        "version": 1,
        "grant": grant.id,
        "controller": grant.tenant_id,
        "subject": grant.subject_id,
        "liveness_session": liveness.id,
        "capture_source": liveness.capture_source,
        "purposes": sorted(grant.purposes),
        "granted_at": grant.granted_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
        "statement_sha256": hashlib.sha256(statement.encode()).hexdigest(),
        "language": language,
    }


def find_grant(session: Session, tenant_id: str, grant_id: str) -> Grant:
    """The tenant's grant, or 404."""
    grant = session.get(Grant, grant_id)
    if grant is None or grant.tenant_id != tenant_id:
        raise not_found("grant")
    return grant


def withdraw_grant(server: Assent, session: Session, grant: Grant, actor: str) -> None:
    """Withdraw: unfinished jobs stop and released outputs are taken down, in the caller's transaction."""
    if grant.withdrawn_at is not None:
        return
    grant.withdrawn_at = now()
    refs = {"grant": grant.id, "subject": grant.subject_id}
    record(session, EventKind.GRANT_WITHDRAWN, tenant_id=grant.tenant_id, actor=actor, refs=refs)
    for job in session.scalars(select(Job).where(Job.grant_id == grant.id)):
        take_down(server, session, job, actor)


def load_template(server: Assent, session: Session, grant: Grant) -> NDArray[np.float32] | None:
    """The grant's embedding, float32 (d,); None once the subject was erased."""
    owner = KeyOwner("subject", grant.subject_id)
    try:
        return np.frombuffer(server.vault.decrypt(session, owner, grant.template, b"grant_template"), np.float32)
    except KeyDestroyed:
        return None


def obstacle(session: Session, tenant_id: str, grant_id: str | None, purpose: str) -> str | None:
    """Why this grant does not allow this use right now, as a reason code; None when it does.

    Called at screening, before rendering, before release and before download.
    """
    grant = session.get(Grant, grant_id, populate_existing=True) if grant_id else None
    if grant is None or grant.tenant_id != tenant_id:
        return "consent_missing"
    if grant.withdrawn_at is not None:
        return "consent_withdrawn"
    if grant.expires_at <= now():
        return "consent_expired"
    if purpose not in grant.purposes:
        return "consent_purpose"
    return None
