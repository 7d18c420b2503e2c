"""Grants: given with a passed liveness session, checked at every use, withdrawn at any time."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
import rfc8785
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind, check_code
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

Purpose = Annotated[
    str, Field(min_length=3, max_length=40, examples=["film_post_production"]), AfterValidator(check_code)
]
MAX_TERM = timedelta(days=3652)  # ten years: the longest licence of a digital replica in the NO FAKES bill
FRESH = timedelta(minutes=30)


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
        subject = _locked_subject(session, caller.tenant_id, liveness_session_id)
        liveness = _usable_session(session, caller.tenant_id, liveness_session_id, at)
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


def _locked_subject(session: Session, tenant_id: str, session_id: str) -> Subject:
    """The subject of a session, not to be erased until this transaction ends: erasure locks in the same order."""
    subjects = select(Subject).join(LivenessSession, LivenessSession.subject_id == Subject.id)
    mine = subjects.where(LivenessSession.id == session_id, LivenessSession.tenant_id == tenant_id)
    subject = session.scalar(mine.with_for_update(read=True, of=Subject))
    if subject is None:
        raise not_found("liveness session")
    if subject.erased_at is not None:
        raise Problem(410, "subject_erased", f"The subject {subject.id} was erased.")
    return subject


def _usable_session(session: Session, tenant_id: str, session_id: str, at: datetime) -> LivenessSession:
    liveness = session.get(LivenessSession, session_id, with_for_update=True)
    if liveness is None or liveness.tenant_id != tenant_id:
        raise not_found("liveness session")
    again = "Let the person take a new liveness session."
    if liveness.state != "passed" or liveness.finished_at is None:
        raise Problem(409, "liveness_not_passed", "The liveness session has not been passed.", hint=again)
    if liveness.used_by_grant is not None:
        raise Problem(409, "liveness_used", "A liveness session is good for one grant, and this one was used.")
    # The sweep takes the template of a session that nobody used in time, the erasure every one.
    if at - liveness.finished_at > FRESH or liveness.template is None:
        raise Problem(409, "liveness_stale", "The liveness session was passed too long ago.", hint=again)
    return liveness


def _receipt(grant: Grant, liveness: LivenessSession, statement: str, language: str) -> dict[str, Any]:
    """The consent receipt. It names nobody: its hash goes into every output made under the grant."""
    return {
        "version": 1,
        "grant": grant.id,
        "controller": grant.tenant_id,
        "subject": grant.subject_id,
        "liveness_session": liveness.id,
        "declared_capture_source": liveness.capture_source,
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
    """Withdraw: unfinished jobs stop and released outputs are taken down, in the caller's transaction.

    The grant's row is locked first and then the jobs', as a release does, so that a job is either taken down here or
    finds the grant withdrawn. Withdrawing again takes down whatever is not yet down.
    """
    session.refresh(grant, with_for_update=True)
    if grant.withdrawn_at is None:
        grant.withdrawn_at = now()
        refs = {"grant": grant.id, "subject": grant.subject_id}
        record(session, EventKind.GRANT_WITHDRAWN, tenant_id=grant.tenant_id, actor=actor, refs=refs)
    session.flush()
    jobs = select(Job).where(Job.grant_id == grant.id).order_by(Job.id).with_for_update()
    for job in session.scalars(jobs.execution_options(populate_existing=True)):
        take_down(server, session, job, actor)


def load_template(server: Assent, session: Session, grant: Grant) -> NDArray[np.float32] | None:
    """The grant's embedding, float32 (d,); None once the subject was erased."""
    owner = KeyOwner("subject", grant.subject_id)
    try:
        return np.frombuffer(server.vault.decrypt(session, owner, grant.template, b"grant_template"), np.float32)
    except KeyDestroyed:
        return None


def obstacle(session: Session, tenant_id: str, grant_id: str | None, purpose: str, *, hold: bool = False) -> str | None:
    """Why this grant does not allow this use right now, as a reason code; None when it does.

    Called at screening, before rendering, before sealing, before release and before download. With `hold` no withdrawal
    happens until the caller's transaction ends.
    """
    lock = {"read": True} if hold else None
    grant = session.get(Grant, grant_id, populate_existing=True, with_for_update=lock) if grant_id else None
    if grant is None or grant.tenant_id != tenant_id:
        return "consent_missing"
    if grant.withdrawn_at is not None:
        return "consent_withdrawn"
    if grant.expires_at <= now():
        return "consent_expired"
    if purpose not in grant.purposes:
        return "consent_purpose"
    return None
