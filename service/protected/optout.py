"""Opting out: a person proves to be alive and who they are, and nobody's picture may show their face from then on.

It takes no account. The session's own token is the only credential, and afterwards a secret that undoes it.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.liveness.sessions import open_session
from service.liveness.tables import LivenessSession
from service.platform.access import Caller, unauthorised
from service.platform.database import now
from service.platform.problems import Problem
from service.platform.vault import KeyOwner
from service.protected.register import (
    OPT_OUT_LIST,
    add_entries,
    create_list,
    embedder_of,
    find_by_name,
    remove_entry,
)
from service.protected.tables import ProtectedEntry, ProtectedList
from service.subjects.register import erase_subject, register_subject
from service.tenants.keys import create_tenant, digest_of
from service.tenants.tables import Tenant

_TENANT: Final = "(the public, opting out)"
_ACTOR: Final = "public"
_FRESH: Final = timedelta(minutes=30)


def open_opt_out(server: Assent) -> tuple[LivenessSession, str]:
    """Draw a challenge for somebody who wants to be left out; returns the session and its upload token.

    How many may be opened in a while is limited as for any organisation, for all such people together.
    """
    with server.database.write() as session:
        tenant = session.scalar(select(Tenant).where(Tenant.name == _TENANT)) or create_tenant(session, _TENANT)
    caller = Caller(tenant.id, _ACTOR)
    subject = register_subject(server, caller, "opting out")
    return open_session(server, caller, subject.id, "camera")


def confirm_opt_out(server: Assent, session_id: str, token: str | None) -> tuple[str, str]:
    """Put the person of a passed session on the list; returns the entry's id and the secret that undoes it."""
    secret = "oo_" + secrets.token_urlsafe(32)
    with server.database.write() as session:
        liveness = _passed_session(server, session, session_id, token)
        owner = KeyOwner("subject", liveness.subject_id)
        assert liveness.template is not None  # noqa: S101 - a passed session has one
        raw = server.vault.decrypt(session, owner, liveness.template, b"liveness_template")
        on = find_by_name(session, None, OPT_OUT_LIST) or create_list(session, None, OPT_OUT_LIST, "opt_out")
        (entry,) = add_entries(
            server,
            session,
            on,
            np.frombuffer(raw, np.float32)[None],
            embedder=embedder_of(server.vision.engine.embedder),
            actor=_ACTOR,
            origin="opt_out",
            token_digest=digest_of(server.pepper, secret),
        )
        liveness.used_by_grant = entry
        refs = {"list": on.id, "entry": entry, "liveness_session": liveness.id}
        record(session, EventKind.OPTED_OUT, tenant_id=None, actor=_ACTOR, refs=refs)
        tenant_id, subject_id = liveness.tenant_id, liveness.subject_id
    # Only the template on the list is kept; what the session left is erased.
    erase_subject(server, Caller(tenant_id, _ACTOR), subject_id)
    return entry, secret


def undo_opt_out(server: Assent, entry_id: str, secret: str | None) -> None:
    """Take the person off the list again; 401 without the secret of this entry."""
    with server.database.write() as session:
        entry = session.get(ProtectedEntry, entry_id)
        if entry is None or secret is None or entry.token_digest != digest_of(server.pepper, secret):
            raise unauthorised("This needs the secret of the opt-out.", "Send it as 'Authorization: Bearer oo_…'.")
        on = session.get_one(ProtectedList, entry.list_id, with_for_update=True)
        remove_entry(session, on, entry_id, actor=_ACTOR, reason="opted_in")


def _passed_session(server: Assent, session: Session, session_id: str, token: str | None) -> LivenessSession:
    liveness = session.get(LivenessSession, session_id, with_for_update=True)
    if token is None or liveness is None or liveness.token_digest != digest_of(server.pepper, token):
        raise unauthorised("This needs the token of the liveness session.", "Send it as 'Authorization: Bearer lt_…'.")
    # A tenant's own session must not end here: that person consented to something else.
    if session.get_one(Tenant, liveness.tenant_id).name != _TENANT:
        raise Problem(409, "not_an_opt_out", "This session was not opened for opting out.")
    if liveness.used_by_grant is not None:
        raise Problem(409, "liveness_used", "This person was put on the list already.")
    if liveness.state != "passed" or liveness.template is None or liveness.finished_at is None:
        raise Problem(409, "liveness_not_passed", "The liveness session has not been passed.", hint="Start a new one.")
    if now() - liveness.finished_at > _FRESH:
        raise Problem(409, "liveness_stale", "The liveness session was passed too long ago.", hint="Start a new one.")
    return liveness
