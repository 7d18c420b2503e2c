"""Sweeping up what liveness sessions leave behind, so that nothing about a person outlives its use.

Every part works in batches of its own transaction and passes over what others hold, so that it can run at any time, in
several processes, and be cut off anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.consents.grants import FRESH
from service.liveness.sessions import OPEN
from service.liveness.tables import LivenessFrame, LivenessSession, SeenFrame
from service.platform.database import now

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was swept: sessions marked as expired, templates and remembered frames deleted."""

    expired: int
    templates: int
    remembered: int


def sweep(server: Assent) -> Swept:
    """Expire abandoned sessions and delete what was seen in them, templates that no grant took, and old digests."""
    memory = timedelta(days=server.settings.liveness_memory_days)
    return Swept(
        expired=_in_batches(server, _expire),
        templates=_in_batches(server, _drop_templates),
        remembered=_in_batches(server, lambda session: _forget_frames(session, memory)),
    )


def _in_batches(server: Assent, step: Callable[[Session], int]) -> int:
    total, done = 0, _BATCH
    while done == _BATCH:
        with server.database.write() as session:
            done = step(session)
        total += done
    return total


def _expire(session: Session) -> int:
    over = select(LivenessSession.id).where(LivenessSession.state.in_(OPEN), LivenessSession.expires_at <= now())
    ids = session.scalars(over.limit(_BATCH).with_for_update(skip_locked=True)).all()
    session.execute(delete(LivenessFrame).where(LivenessFrame.session_id.in_(ids)))
    session.execute(update(LivenessSession).where(LivenessSession.id.in_(ids)).values(state="expired"))
    return len(ids)


def _drop_templates(session: Session) -> int:
    unused = select(LivenessSession.id).where(
        LivenessSession.state == "passed",
        LivenessSession.template.is_not(None),
        LivenessSession.used_by_grant.is_(None),
        LivenessSession.finished_at < now() - FRESH,
    )
    ids = session.scalars(unused.limit(_BATCH).with_for_update(skip_locked=True)).all()
    session.execute(update(LivenessSession).where(LivenessSession.id.in_(ids)).values(template=None))
    return len(ids)


def _forget_frames(session: Session, memory: timedelta) -> int:
    old = select(SeenFrame.digest).where(SeenFrame.seen_at < now() - memory)
    digests = session.scalars(old.limit(_BATCH).with_for_update(skip_locked=True)).all()
    session.execute(delete(SeenFrame).where(SeenFrame.digest.in_(digests)))
    return len(digests)
