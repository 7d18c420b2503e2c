"""Tables of jobs: the ledger that every worker obeys, the evidence that was judged, and the registry of marks."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base


class Job(Base):
    """One swap. `state` changes only through `service.jobs.ledger`, which checks who may change it."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("tenant_id", "idempotency_key"),
        Index("ix_jobs_claimable", "state", "lease_until", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    state: Mapped[str]
    purpose: Mapped[str]
    grant_id: Mapped[str | None] = mapped_column(index=True)
    target_asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"))
    source_asset_ids: Mapped[list[str]]
    target_face: Mapped[int | None]
    target_basis: Mapped[dict[str, Any]]
    stages: Mapped[dict[str, Any]] = mapped_column(default=dict)
    output_type: Mapped[str]
    idempotency_key: Mapped[str | None]
    request_sha256: Mapped[str]
    watermark_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    reasons: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    problem: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)


class Judgement(Base):
    """What was found (`record`: a `safety.desk.Record` as JSON) and the verdict on it. The newest of a stage counts."""

    __tablename__ = "judgements"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    stage: Mapped[str]
    record: Mapped[dict[str, Any]]
    verdict: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Review(Base):
    """A person's decision on a case: `approve` or `refuse`, about the one judgement that they had before them."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    judgement_id: Mapped[int] = mapped_column(ForeignKey("judgements.id"), unique=True)
    stage: Mapped[str]
    reviewer_id: Mapped[str] = mapped_column(ForeignKey("reviewers.id"))
    decision: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime]


class Mark(Base):
    """The registry: which output a watermark id belongs to. Status: sealed · live · withdrawn."""

    __tablename__ = "marks"

    watermark_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    status: Mapped[str]
    media_type: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    manifest: Mapped[bytes]
    sealed_event_id: Mapped[str]
    sealed_at: Mapped[datetime]
