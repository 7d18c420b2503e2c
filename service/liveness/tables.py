"""Tables of liveness sessions and of what was observed in their frames. The frames themselves are not kept."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class LivenessSession(Base):
    """One attempt at a challenge. States: created · in_progress · passed · failed · expired."""

    __tablename__ = "liveness_sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subjects.id"), index=True)
    state: Mapped[str]
    capture_source: Mapped[str]
    challenge: Mapped[dict[str, Any]]
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    reasons: Mapped[list[str] | None]
    hint: Mapped[str | None]
    template: Mapped[bytes | None]  # ciphertext, under the subject's key
    used_by_grant: Mapped[str | None]


class LivenessFrame(Base):
    """What was seen in one posted frame, until the session ends."""

    __tablename__ = "liveness_frames"

    session_id: Mapped[str] = mapped_column(ForeignKey("liveness_sessions.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    observation: Mapped[bytes]  # ciphertext, under the subject's key
