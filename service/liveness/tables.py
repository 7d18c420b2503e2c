"""Tables of liveness sessions, of what was observed in their frames, and of which frames were seen at all.

The frames themselves are not kept.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class LivenessSession(Base):
    """One attempt at a challenge. States: created · in_progress · passed · failed · expired."""

    __tablename__ = "liveness_sessions"
    __table_args__ = (
        Index("ix_liveness_sessions_tenant_created", "tenant_id", "created_at"),
        Index("ix_liveness_sessions_sweep", "state", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
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
    arrived_at: Mapped[datetime]  # by the server's clock
    seen_before: Mapped[bool]  # this very frame was sent before, in whatever session
    observation: Mapped[bytes]  # ciphertext, under the subject's key


class SeenFrame(Base):
    """That a frame with a face in it was sent once, by anybody: a digest under the server's secret, and when.

    It belongs to no tenant, subject or session, and outlives their erasure: without the secret it says nothing.
    """

    __tablename__ = "seen_frames"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(index=True)
