"""Tables of uploaded pictures."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class Asset(Base):
    """An uploaded picture. Its bytes lie encrypted under its own key and end with it."""

    __tablename__ = "assets"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    media_type: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    notices: Mapped[list[str]]
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
