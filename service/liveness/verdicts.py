"""Ending a liveness session: judged once, over everything that was observed, and the observations deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.liveness.challenge import Challenge
from safety.liveness.judge import LivenessResult, judge
from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.liveness.frames import open_observation
from service.liveness.sessions import check_open, session_of_token
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.database import now
from service.platform.vault import KeyOwner
from service.subjects.register import find_subject


def complete(server: Assent, session_id: str, token: str | None) -> LivenessSession:
    """Judge the session, once. The template is kept for a grant, the observations are deleted."""
    with server.database.write() as session:
        liveness = session_of_token(server, session, session_id, token)
        # Only one session of a person is judged at a time, since the first to pass says who the person is.
        find_subject(session, liveness.tenant_id, liveness.subject_id, lock={"key_share": True})
        session.refresh(liveness, with_for_update=True)
        check_open(liveness)
        rows = session.scalars(
            select(LivenessFrame).where(LivenessFrame.session_id == liveness.id).order_by(LivenessFrame.sequence)
        ).all()
        result = _judge(server, session, liveness, rows)
        for row in rows:
            session.delete(row)
        _write_result(server, session, liveness, result)
        refs = {
            "liveness_session": liveness.id,
            "subject": liveness.subject_id,
            "outcome": result.outcome,
            "capture": liveness.capture_source,
        }
        payload = {
            "reasons": list(result.reasons),
            "frames": len(rows),
            "arrivals": "checked" if _came_live(liveness) else "exempt",
        }
        record(
            session,
            EventKind.LIVENESS_JUDGED,
            tenant_id=liveness.tenant_id,
            actor=liveness.id,
            refs=refs,
            payload=payload,
            key_owner=KeyOwner("subject", liveness.subject_id),
        )
    return liveness


def _came_live(liveness: LivenessSession) -> bool:
    """Whether the frames were to come while they were captured. A file was captured some other time, and says so."""
    return liveness.capture_source == "camera"


def _judge(
    server: Assent, session: Session, liveness: LivenessSession, rows: Sequence[LivenessFrame]
) -> LivenessResult:
    owner = KeyOwner("subject", liveness.subject_id)
    return judge(
        Challenge.from_json(liveness.challenge),
        [open_observation(server, session, owner, row) for row in rows],
        expected=_enrolled_template(server, session, liveness.subject_id),
        arrivals=[row.arrived_at.timestamp() for row in rows] if _came_live(liveness) else None,
        seen_before=any(row.seen_before for row in rows),
    )


def _enrolled_template(server: Assent, session: Session, subject_id: str) -> NDArray[np.float32] | None:
    """The template of the subject's first passed session, whose person every later one must be; None before it."""
    passed = select(LivenessSession).where(
        LivenessSession.subject_id == subject_id, LivenessSession.template.is_not(None)
    )
    first = session.scalars(passed.order_by(LivenessSession.finished_at).limit(1)).one_or_none()
    if first is None or first.template is None:
        return None
    owner = KeyOwner("subject", subject_id)
    return np.frombuffer(server.vault.decrypt(session, owner, first.template, b"liveness_template"), np.float32)


def _write_result(server: Assent, session: Session, liveness: LivenessSession, result: LivenessResult) -> None:
    owner = KeyOwner("subject", liveness.subject_id)
    liveness.state = "passed" if result.outcome == "live" else "failed"
    liveness.outcome, liveness.reasons, liveness.hint = result.outcome, list(result.reasons), result.hint
    liveness.finished_at = now()
    if result.outcome == "live":
        if result.template is None:
            raise ValueError("a live result without a template")
        raw = np.ascontiguousarray(result.template, np.float32).tobytes()
        liveness.template = server.vault.encrypt(session, owner, raw, b"liveness_template")
