"""Tables of tenants, their API keys, and the people who review for them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base

_LIVE = text("removed_at IS NULL")


class Tenant(Base):
    """A customer organisation. Everything else belongs to exactly one."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class ApiKey(Base):
    """An API key at rest: its public prefix and the keyed hash of the whole."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Reviewer(Base):
    """A person who may log in at /admin and decide cases of their tenant.

    Whoever was removed stays as a row, so that their reviews still say whose they are; the address is free again.
    """

    __tablename__ = "reviewers"
    __table_args__ = (Index("uq_reviewers_email", "email", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    created_at: Mapped[datetime]
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class ReviewerSession(Base):
    """A log-in: the cookie's keyed hash, the token against cross-site requests, and its end."""

    __tablename__ = "reviewer_sessions"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    reviewer_id: Mapped[str] = mapped_column(ForeignKey("reviewers.id"), index=True)
    csrf: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
