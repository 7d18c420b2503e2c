"""Tables of grants."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class Grant(Base):
    """A subject's consent: who may use their likeness for what, until when. Never edited; only withdrawn."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subjects.id"), index=True)
    liveness_session_id: Mapped[str] = mapped_column(ForeignKey("liveness_sessions.id"), unique=True)
    purposes: Mapped[list[str]]
    receipt: Mapped[dict[str, Any]]
    receipt_sha256: Mapped[str]
    statement: Mapped[bytes]  # ciphertext: the exact text and the typed name, under the subject's key
    template: Mapped[bytes]  # ciphertext, under the subject's key
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
