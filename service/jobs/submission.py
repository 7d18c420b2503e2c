"""Taking in a job: what is asked, checked for form, written with its audit event in one transaction."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.assets.library import find_asset
from service.audit.events import EventKind, check_id
from service.audit.recorder import record
from service.consents.grants import Purpose
from service.jobs.ledger import UNFINISHED, State
from service.jobs.stages import StagesIn, check_stages
from service.jobs.tables import Job
from service.platform.access import Caller
from service.platform.database import now
from service.platform.ids import new_id, new_watermark_id
from service.platform.problems import Problem, not_found

Identifier = Annotated[str, AfterValidator(check_id)]
OutputType = Literal["image/jpeg", "image/png", "image/webp"]


class TargetBasis(BaseModel):
    """Why the footage of the target people may be changed. It is logged word for word."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["rights_declaration"] = "rights_declaration"
    declared_by: str = Field(min_length=1, max_length=200, examples=["Example Film GmbH, legal department"])
    statement: str = Field(min_length=10, max_length=5_000, examples=["The actor's contract of 2026-01-15, clause 7."])
    document_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")


class JobIn(BaseModel):
    """A swap: the grant's subject, as seen in the source photos, onto a face of the target picture."""

    model_config = ConfigDict(extra="forbid")

    source_assets: list[Identifier] = Field(min_length=1, max_length=8)
    target_asset: Identifier
    target_face: int | None = Field(
        None,
        ge=0,
        le=99,
        description="Which face of the target, counted from the largest; needed where it has several.",
    )
    grant: Identifier | None = Field(None, description="Without a grant the job is refused, and the refusal is logged.")
    purpose: Purpose
    target_basis: TargetBasis
    stages: StagesIn = StagesIn()
    output_type: OutputType | None = Field(None, description="The target's own type where it is left out.")


def submit(server: Assent, caller: Caller, body: JobIn, idempotency_key: str | None) -> tuple[Job, bool]:
    """Queue a job; returns it and whether it is new. A repeated key gives the first job, or 422 for another body."""
    check_stages(server.vision, body.stages)
    digest = hashlib.sha256(rfc8785.dumps(body.model_dump())).hexdigest()
    with server.database.write() as session:
        # SQLite's write lock, or the tenant's row in PostgreSQL, makes two submissions with one key wait in turn.
        server.lock_tenant(session, caller.tenant_id)
        if idempotency_key is not None:
            earlier = _earlier(session, caller.tenant_id, idempotency_key)
            if earlier is not None:
                if earlier.request_sha256 != digest:
                    detail = "This Idempotency-Key was used for a different request."
                    raise Problem(422, "idempotency_key_reused", detail, hint="Use a new key for a new request.")
                return earlier, False
        _check_capacity(session, caller.tenant_id, server.settings.max_open_jobs)
        for asset_id in body.source_assets:
            find_asset(session, caller.tenant_id, asset_id)
        target = find_asset(session, caller.tenant_id, body.target_asset)
        job = _new_job(caller, body, digest, idempotency_key, body.output_type or output_type_for(target.media_type))
        session.add(job)
        record(
            session,
            EventKind.JOB_SUBMITTED,
            tenant_id=caller.tenant_id,
            actor=caller.actor,
            refs=_refs(job),
            payload=_declaration(body),
            key_owner=server.tenant_key(caller.tenant_id),
        )
    server.wake_workers()
    return job, True


def _earlier(session: Session, tenant_id: str, idempotency_key: str) -> Job | None:
    return session.scalar(select(Job).where(Job.tenant_id == tenant_id, Job.idempotency_key == idempotency_key))


def _check_capacity(session: Session, tenant_id: str, limit: int) -> None:
    unfinished = select(func.count()).where(Job.tenant_id == tenant_id, Job.state.in_(UNFINISHED))
    if (session.scalar(unfinished) or 0) >= limit:
        detail = f"There are already {limit} unfinished jobs."
        raise Problem(429, "too_many_jobs", detail, hint="Wait for some to end.", headers={"Retry-After": "10"})


def output_type_for(media_type: str) -> OutputType:
    """The type of the output for a target of this type: the same where we write it, else PNG, which loses nothing."""
    same: dict[str, OutputType] = {"image/jpeg": "image/jpeg", "image/png": "image/png", "image/webp": "image/webp"}
    return same.get(media_type, "image/png")


def _new_job(caller: Caller, body: JobIn, digest: str, idempotency_key: str | None, output_type: OutputType) -> Job:
    at = now()
    return Job(
        id=new_id("job"),
        tenant_id=caller.tenant_id,
        state=State.QUEUED,
        purpose=body.purpose,
        grant_id=body.grant,
        target_asset_id=body.target_asset,
        source_asset_ids=body.source_assets,
        target_face=body.target_face,
        target_basis=body.target_basis.model_dump(),
        stages=body.stages.model_dump(),
        output_type=output_type,
        idempotency_key=idempotency_key,
        request_sha256=digest,
        watermark_id=new_watermark_id(),
        reasons=[],
        created_at=at,
        updated_at=at,
        attempts=0,
    )


def _refs(job: Job) -> dict[str, str]:
    refs = {"job": job.id, "target_asset": job.target_asset_id, "purpose": job.purpose}
    refs |= {f"source_asset_{i}": asset for i, asset in enumerate(job.source_asset_ids)}
    return refs | ({"grant": job.grant_id} if job.grant_id else {})


def _declaration(body: JobIn) -> dict[str, Any]:
    return {"target_basis": body.target_basis.model_dump()}


def find_job(session: Session, tenant_id: str, job_id: str) -> Job:
    """The tenant's job, or 404."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise not_found("job")
    return job
