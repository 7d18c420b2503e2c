"""Registering the people whose likeness may be used, and erasing them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.assets.library import erase_asset
from service.assets.tables import Asset
from service.audit.events import EventKind
from service.audit.recorder import record
from service.consents.grants import withdraw_grant
from service.consents.tables import Grant
from service.jobs.tables import Job
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.access import Caller
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.platform.vault import KeyOwner
from service.subjects.tables import Subject


def register_subject(server: Assent, caller: Caller, display_name: str) -> Subject:
    """Add a person; the name is encrypted under their own key from the first moment."""
    subject_id = new_id("sub")
    owner = KeyOwner("subject", subject_id)
    with server.database.write() as session:
        subject = Subject(
            id=subject_id,
            tenant_id=caller.tenant_id,
            display_name=server.vault.encrypt(session, owner, display_name.encode(), b"display_name"),
            created_at=now(),
        )
        session.add(subject)
        record(
            session,
            EventKind.SUBJECT_REGISTERED,
            tenant_id=caller.tenant_id,
            actor=caller.actor,
            refs={"subject": subject_id},
            payload={"display_name": display_name},
            key_owner=owner,
        )
    return subject


def find_subject(
    session: Session, tenant_id: str, subject_id: str, *, lock: bool | dict[str, Any] | None = None
) -> Subject:
    """The tenant's subject; 404 for others', 410 for an erased one. `lock` is SQLAlchemy's `with_for_update`."""
    subject = session.get(Subject, subject_id, with_for_update=lock)
    if subject is None or subject.tenant_id != tenant_id:
        raise not_found("subject")
    if subject.erased_at is not None:
        raise Problem(410, "subject_erased", f"The subject {subject_id} was erased.")
    return subject


def erase_subject(server: Assent, caller: Caller, subject_id: str) -> None:
    """Withdraw every grant, erase the photos used under them, and destroy the subject's key.

    The audit log keeps its commitments, which say nothing without the key.
    """
    with server.database.write() as session:
        # Whoever adds something of the subject's holds this lock too, so nothing is added behind the erasure's back.
        subject = find_subject(session, caller.tenant_id, subject_id, lock={"key_share": True})
        for grant in session.scalars(select(Grant).where(Grant.subject_id == subject_id)):
            withdraw_grant(server, session, grant, caller.actor)
            for job in session.scalars(select(Job).where(Job.grant_id == grant.id)):
                for asset_id in job.source_asset_ids:
                    erase_asset(server, session, session.get_one(Asset, asset_id), caller.actor)
        sessions = select(LivenessSession).where(LivenessSession.subject_id == subject_id)
        for liveness in session.scalars(sessions):
            liveness.template = None
            for frame in session.scalars(select(LivenessFrame).where(LivenessFrame.session_id == liveness.id)):
                session.delete(frame)
        subject.erased_at = now()
        refs = {"subject": subject_id}
        record(session, EventKind.SUBJECT_ERASED, tenant_id=subject.tenant_id, actor=caller.actor, refs=refs)
        server.vault.destroy(session, KeyOwner("subject", subject_id))


def display_name(server: Assent, session: Session, subject: Subject) -> str:
    """The subject's decrypted name."""
    owner = KeyOwner("subject", subject.id)
    return server.vault.decrypt(session, owner, subject.display_name, b"display_name").decode()
