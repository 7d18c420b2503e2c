"""Tables of known pictures."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class PictureList(Base):
    """A list. Without a tenant it counts for everybody. `version` rises with every change."""

    __tablename__ = "picture_lists"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str | None] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]


class PictureEntry(Base):
    """A picture: `hashes` are its PDQ hashes of 32 bytes one after the other; the picture itself is not kept."""

    __tablename__ = "picture_entries"

    id: Mapped[str] = mapped_column(primary_key=True)
    list_id: Mapped[str] = mapped_column(ForeignKey("picture_lists.id"), index=True)
    hashes: Mapped[bytes]
    reason: Mapped[str]
    job_id: Mapped[str | None]
    added_at: Mapped[datetime]
