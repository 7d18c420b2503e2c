"""Liveness sessions: drawn, fed with frames over their own token, judged once, used once.

Frames are looked at when they arrive and not kept: only what was observed in them is, encrypted under the subject's key
until the session ends.
"""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.picture import PictureLimits
from safety.liveness.challenge import Challenge
from safety.liveness.judge import LivenessResult, judge
from safety.liveness.observe import FrameObservation, observe
from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.access import Caller, unauthorised
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.platform.vault import KeyOwner
from service.subjects.register import find_subject
from service.tenants.keys import digest_of

MAX_FRAME_BYTES = 4 * 1024 * 1024
_FRAME_LIMITS = PictureLimits(max_bytes=MAX_FRAME_BYTES, max_pixels=4_000_000)
_LOCK_OUT = timedelta(minutes=15)
_OPEN = ("created", "in_progress")


def open_session(
    server: Assent, caller: Caller, subject_id: str, capture_source: Literal["camera", "file"]
) -> tuple[LivenessSession, str]:
    """Draw a challenge; returns the session and its upload token, which is told only now."""
    if capture_source == "file" and server.settings.file_captures != "accept":
        hint = "Capture with a camera, or set ASSENT_FILE_CAPTURES=accept where recorded captures are acceptable."
        raise Problem(403, "file_capture_refused", "This server takes no recorded captures.", hint=hint)
    token = "lt_" + secrets.token_urlsafe(32)
    at = now()
    expires_at = at + timedelta(seconds=server.settings.liveness_seconds)
    with server.database.write() as session:
        subject = find_subject(session, caller.tenant_id, subject_id)
        _check_lock_out(session, subject.id, server.settings.liveness_tries)
        liveness = LivenessSession(
            id=new_id("liv"),
            tenant_id=caller.tenant_id,
            subject_id=subject.id,
            state="created",
            capture_source=capture_source,
            challenge=Challenge.draw().to_json(),
            token_digest=digest_of(server.pepper, token),
            created_at=at,
            expires_at=expires_at,
        )
        session.add(liveness)
        refs = {"liveness_session": liveness.id, "subject": subject.id, "capture": capture_source}
        kind = EventKind.LIVENESS_STARTED
        record(session, kind, tenant_id=caller.tenant_id, actor=caller.actor, refs=refs)
    return liveness, token


def _check_lock_out(session: Session, subject_id: str, tries: int) -> None:
    # Sessions that were only opened count too: a recorded clip must not be able to draw until the order fits.
    opened = select(func.count()).where(
        LivenessSession.subject_id == subject_id,
        LivenessSession.state != "passed",
        LivenessSession.created_at > now() - _LOCK_OUT,
    )
    if (session.scalar(opened) or 0) >= tries:
        detail = "This person has opened too many liveness sessions without passing."
        headers = {"Retry-After": str(int(_LOCK_OUT.total_seconds()))}
        raise Problem(429, "liveness_locked", detail, hint="Try again in a quarter of an hour.", headers=headers)


def session_of_token(server: Assent, session: Session, session_id: str, token: str | None) -> LivenessSession:
    """The open session that this token may upload to. Raises 401 for a wrong token, 409 or 410 for an ended one."""
    liveness = session.get(LivenessSession, session_id)
    if token is None or liveness is None or liveness.token_digest != digest_of(server.pepper, token):
        raise unauthorised("This needs the token of the liveness session.", "Send it as 'Authorization: Bearer lt_…'.")
    if liveness.state not in _OPEN:
        raise Problem(409, "liveness_ended", f"The liveness session has ended as {liveness.state}.")
    if liveness.expires_at <= now():
        raise Problem(410, "liveness_expired", "The liveness session has expired.", hint="Start a new one.")
    return liveness


def add_frame(server: Assent, liveness: LivenessSession, sequence: int, captured_at: float, data: bytes) -> None:
    """Look at one frame and keep what was seen. A sequence number is taken once."""
    picture = decode_picture(data, _FRAME_LIMITS)
    observation = observe(server.vision.engine, picture.pixels, sequence=sequence, captured_at=captured_at)
    owner = KeyOwner("subject", liveness.subject_id)
    with server.database.write() as session:
        current = session.get_one(LivenessSession, liveness.id, with_for_update=True)
        if current.state not in _OPEN:
            raise Problem(409, "liveness_ended", f"The liveness session has ended as {current.state}.")
        if session.get(LivenessFrame, (liveness.id, sequence)) is not None:
            raise Problem(409, "frame_repeated", f"Frame {sequence} was sent before.")
        taken = select(func.count()).where(LivenessFrame.session_id == liveness.id)
        if (session.scalar(taken) or 0) >= server.settings.liveness_frames:
            raise Problem(429, "too_many_frames", "The session has as many frames as it may.")
        current.state = "in_progress"
        sealed = server.vault.encrypt(session, owner, _pack(observation), f"frame {sequence}".encode())
        session.add(LivenessFrame(session_id=liveness.id, sequence=sequence, observation=sealed))


def _pack(observation: FrameObservation) -> bytes:
    return json.dumps(observation.to_json()).encode()


def complete(server: Assent, session_id: str, token: str | None) -> LivenessSession:
    """Judge the session, once. The template is kept for a grant, the observations are deleted."""
    with server.database.write() as session:
        liveness = session_of_token(server, session, session_id, token)
        owner = KeyOwner("subject", liveness.subject_id)
        rows = session.scalars(
            select(LivenessFrame).where(LivenessFrame.session_id == liveness.id).order_by(LivenessFrame.sequence)
        ).all()
        observations = []
        for row in rows:
            opened = server.vault.decrypt(session, owner, row.observation, f"frame {row.sequence}".encode())
            observations.append(FrameObservation.from_json(json.loads(opened)))
            session.delete(row)
        enrolled = _enrolled_template(server, session, liveness.subject_id)
        result = judge(Challenge.from_json(liveness.challenge), observations, expected=enrolled)
        _write_result(server, session, liveness, result)
        refs = {
            "liveness_session": liveness.id,
            "subject": liveness.subject_id,
            "outcome": result.outcome,
            "capture": liveness.capture_source,
        }
        kind = EventKind.LIVENESS_JUDGED
        payload = {"reasons": list(result.reasons), "frames": len(rows)}
        record(
            session,
            kind,
            tenant_id=liveness.tenant_id,
            actor=liveness.id,
            refs=refs,
            payload=payload,
            key_owner=owner,
        )
    return liveness


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


def find_session(session: Session, tenant_id: str, session_id: str) -> LivenessSession:
    """The tenant's session, or 404. One that ran out says so."""
    liveness = session.get(LivenessSession, session_id)
    if liveness is None or liveness.tenant_id != tenant_id:
        raise not_found("liveness session")
    if liveness.state in _OPEN and liveness.expires_at <= now():
        liveness.state = "expired"
    return liveness
