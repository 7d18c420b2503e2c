"""Tables of protected people. Only templates are kept, encrypted under a key of their list; no names, no pictures."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class ProtectedList(Base):
    """A list. Without a tenant it counts for everybody. `version` rises with every change."""

    __tablename__ = "protected_lists"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str | None] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    kind: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]


class ProtectedEntry(Base):
    """A person on a list: an embedding, by which embedder, and how it came here (`operator`, `tenant`, `opt_out`)."""

    __tablename__ = "protected_entries"

    id: Mapped[str] = mapped_column(primary_key=True)
    list_id: Mapped[str] = mapped_column(ForeignKey("protected_lists.id"), index=True)
    embedder: Mapped[str]
    template: Mapped[bytes]  # ciphertext, under the list's key
    origin: Mapped[str]
    token_digest: Mapped[bytes | None]  # of the secret with which a person who opted out may opt in again
    added_at: Mapped[datetime]
