"""Tables of subjects."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class Subject(Base):
    """A person whose likeness may be put on. What describes them is encrypted under their own key."""

    __tablename__ = "subjects"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    display_name: Mapped[bytes]  # ciphertext
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
