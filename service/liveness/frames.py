"""Taking the frames of a liveness session: refused cheaply where they cannot count, looked at once, not kept.

What was observed in them is kept, encrypted under the subject's key, until the session ends.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.picture import PictureLimits
from safety.liveness.observe import FrameObservation, observe
from service.assembly import Assent
from service.liveness.memory import frame_digests, remember
from service.liveness.sessions import check_open, session_of_token
from service.liveness.tables import LivenessFrame, LivenessSession
from service.platform.problems import Problem
from service.platform.vault import KeyOwner
from service.subjects.register import find_subject

MAX_FRAME_BYTES = 4 * 1024 * 1024
_FRAME_LIMITS = PictureLimits(max_bytes=MAX_FRAME_BYTES, max_pixels=4_000_000)


@dataclass(frozen=True, slots=True)
class PostedFrame:
    """A frame as it came: `captured_at` in seconds by the sender's clock, `arrived_at` by the server's."""

    sequence: int
    captured_at: float
    arrived_at: datetime
    data: bytes


def expect_frame(
    server: Assent, session_id: str, sequence: int, *, token: str | None, nonce: str | None
) -> LivenessSession:
    """The session that takes this frame, found before its body is read. Raises `Problem` where there is none."""
    with server.database.read() as session:
        liveness = session_of_token(server, session, session_id, token)
        if nonce is None or not hmac.compare_digest(nonce.encode(), liveness.challenge["nonce"].encode()):
            hint = "Send what the session was opened with as the header 'Assent-Nonce'."
            raise Problem(422, "wrong_nonce", "The frame does not carry the nonce of this session.", hint=hint)
        _check_room(server, session, liveness.id, sequence)
        return liveness


def add_frame(server: Assent, liveness: LivenessSession, frame: PostedFrame) -> None:
    """Look at one frame and keep what was seen. A sequence number is taken once.

    Looking takes a while, and no lock is held meanwhile: what `expect_frame` checked is checked again at the end.
    """
    picture = decode_picture(frame.data, _FRAME_LIMITS)
    observation = observe(server.vision.engine, picture.pixels, sequence=frame.sequence, captured_at=frame.captured_at)
    owner = KeyOwner("subject", liveness.subject_id)
    with server.database.write() as session:
        # The subject before the session, here as in `complete` and in an erasure, so that no two wait for each other.
        find_subject(session, liveness.tenant_id, liveness.subject_id, lock={"read": True})
        current = session.get_one(LivenessSession, liveness.id, with_for_update=True)
        check_open(current)
        _check_room(server, session, liveness.id, frame.sequence)
        current.state = "in_progress"
        digests = frame_digests(server.pepper, frame.data, observation.digest)
        seen_before = observation.faces > 0 and remember(session, digests)
        sealed = server.vault.encrypt(session, owner, _pack(observation), _use(frame.sequence))
        session.add(
            LivenessFrame(
                session_id=liveness.id,
                sequence=frame.sequence,
                arrived_at=frame.arrived_at,
                seen_before=seen_before,
                observation=sealed,
            )
        )


def open_observation(server: Assent, session: Session, owner: KeyOwner, row: LivenessFrame) -> FrameObservation:
    """What was seen in a frame, decrypted. Raises `KeyDestroyed` for an erased subject's."""
    opened = server.vault.decrypt(session, owner, row.observation, _use(row.sequence))
    return FrameObservation.from_json(json.loads(opened))


def _check_room(server: Assent, session: Session, session_id: str, sequence: int) -> None:
    if session.get(LivenessFrame, (session_id, sequence)) is not None:
        raise Problem(409, "frame_repeated", f"Frame {sequence} was sent before.")
    taken = select(func.count()).where(LivenessFrame.session_id == session_id)
    if (session.scalar(taken) or 0) >= server.settings.liveness_frames:
        raise Problem(429, "too_many_frames", "The session has as many frames as it may.")


def _pack(observation: FrameObservation) -> bytes:
    return json.dumps(observation.to_json()).encode()


def _use(sequence: int) -> bytes:
    return f"frame {sequence}".encode()
