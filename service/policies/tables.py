"""Tables of policies and of what a shadow version would have judged otherwise."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class PolicyVersion(Base):
    """One version, never changed once it is here. States: draft · shadow · live · retired."""

    __tablename__ = "policy_versions"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]
    state: Mapped[str]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class ShadowCount(Base):
    """How often a shadow version's outcome went with one of the live version."""

    __tablename__ = "policy_shadow_counts"

    policy_id: Mapped[str] = mapped_column(ForeignKey("policy_versions.id"), primary_key=True)
    live_version: Mapped[str] = mapped_column(primary_key=True)
    live_outcome: Mapped[str] = mapped_column(primary_key=True)
    shadow_outcome: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
