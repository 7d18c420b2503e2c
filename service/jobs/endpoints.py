"""`/v1/jobs`: submitting swaps, following them, and fetching what was released."""

from __future__ import annotations

from datetime import MAXYEAR, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.audit.events import EventKind
from service.audit.queries import receipt_for
from service.audit.recorder import record
from service.consents.grants import obstacle
from service.jobs.ledger import State
from service.jobs.submission import JobIn, find_job, submit
from service.jobs.tables import Job, Judgement, Mark
from service.jobs.takedown import cancel
from service.platform.access import ApiCaller, Caller, Server
from service.platform.problems import Problem
from service.platform.vault import KeyOwner

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class ReasonOut(BaseModel):
    """Why a job was refused or went to a person. Scores are not told."""

    code: str
    message: str
    subject: str


class JobOut(BaseModel):
    """A job. `problem` says what failed; `watermark_id` is in every pixel of the output."""

    id: str
    state: State
    purpose: str
    grant_id: str | None
    target_asset_id: str
    source_asset_ids: list[str]
    reasons: list[ReasonOut]
    problem: dict[str, Any] | None
    watermark_id: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


def _out(job: Job) -> JobOut:
    shown = {name: getattr(job, name) for name in JobOut.model_fields if name != "watermark_id"}
    mark = f"{job.watermark_id:012x}" if job.state in (State.DONE, State.WITHDRAWN) else None
    return JobOut.model_validate(shown | {"watermark_id": mark})


@router.post("", status_code=202)
def create(
    body: JobIn,
    response: Response,
    server: Server,
    caller: ApiCaller,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> JobOut:
    """Submit a swap. It is screened before anything is rendered; follow it at the `Location`."""
    job, new = submit(server, caller, body, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return _out(job)


@router.get("")
def list_jobs(
    server: Server,
    caller: ApiCaller,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[AwareDatetime | None, Query(description="Only jobs created before this time.")] = None,
) -> list[JobOut]:
    """The tenant's jobs, newest first."""
    query = select(Job).where(Job.tenant_id == caller.tenant_id).order_by(Job.created_at.desc()).limit(limit)
    if state is not None:
        query = query.where(Job.state == state)
    if before is not None and before.year < MAXYEAR:
        query = query.where(Job.created_at < before)
    with server.database.read() as session:
        return [_out(job) for job in session.scalars(query)]


@router.get("/{job_id}")
def describe(job_id: str, server: Server, caller: ApiCaller) -> JobOut:
    """Where a job is, and why."""
    with server.database.read() as session:
        return _out(find_job(session, caller.tenant_id, job_id))


@router.get("/{job_id}/verdict")
def verdict(job_id: str, server: Server, caller: ApiCaller) -> list[dict[str, Any]]:
    """The verdicts on a job, oldest first, by reason codes: what the caller may know."""
    with server.database.read() as session:
        job = find_job(session, caller.tenant_id, job_id)
        judgements = session.scalars(select(Judgement).where(Judgement.job_id == job.id).order_by(Judgement.id))
        return [{"stage": j.stage, "judged_at": j.created_at} | j.verdict for j in judgements]


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, server: Server, caller: ApiCaller) -> JobOut:
    """Cancel a job that has not ended."""
    with server.database.write() as session:
        job = find_job(session, caller.tenant_id, job_id)
        cancel(server, session, job, caller.actor)
        session.refresh(job)
        return _out(job)


@router.get("/{job_id}/result", responses={200: {"content": {"image/*": {}}}})
def result(job_id: str, server: Server, caller: ApiCaller) -> Response:
    """The released output. Consent is checked again; every download is logged."""
    with server.database.write() as session:
        job = find_job(session, caller.tenant_id, job_id)
        mark = _released_mark(session, caller, job)
        data = server.blobs.get(session, KeyOwner("job", job.id), job.id)
        refs = {"job": job.id}
        record(session, EventKind.RESULT_DOWNLOADED, tenant_id=job.tenant_id, actor=caller.actor, refs=refs)
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.{mark.media_type.split("/")[1]}"'}
    return Response(data, media_type=mark.media_type, headers=headers | {"Cache-Control": "private, no-store"})


def _released_mark(session: Session, caller: Caller, job: Job) -> Mark:
    if job.state == State.WITHDRAWN:
        raise Problem(410, "consent_withdrawn", "The consent was withdrawn; the output is taken down.")
    if job.state != State.DONE:
        detail = f"The job is {job.state}; there is nothing to fetch."
        raise Problem(409, "not_released", detail, hint=f"Follow /v1/jobs/{job.id}.")
    reason = obstacle(session, caller.tenant_id, job.grant_id, job.purpose)
    if reason is not None:
        raise Problem(410, reason, "The consent for this output no longer stands.")
    mark = session.query(Mark).filter_by(job_id=job.id, status="live").one_or_none()
    if mark is None:
        raise Problem(410, "not_released", "The output is not available.")
    return mark


@router.get("/{job_id}/receipt", responses={200: {"content": {"text/plain": {}}}})
def receipt(job_id: str, server: Server, caller: ApiCaller) -> Response:
    """The audit receipt of the release: an inclusion proof and a signed checkpoint that verify offline."""
    with server.database.read() as session:
        job = find_job(session, caller.tenant_id, job_id)
        mark = session.query(Mark).filter_by(job_id=job.id).one_or_none()
        proof = receipt_for(session, mark.sealed_event_id) if mark is not None else None
    if proof is None:
        detail = "There is no receipt: the job has released nothing, or the next checkpoint is not signed yet."
        raise Problem(404, "receipt_not_found", detail, hint="Ask again in a few seconds.")
    return Response(proof, media_type="text/plain; charset=utf-8")
