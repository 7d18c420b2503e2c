"""`/health` and `/metrics`: whether the server lives and can work, for load balancers and for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select, text

from service.jobs.ledger import State
from service.jobs.tables import Job
from service.platform.access import Server
from service.reviews.access import LOG_IN_FAILURES

router = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready")
def ready(server: Server, response: Response) -> dict[str, Any]:
    """The database answers, the models are loaded on the device that was asked for, and the audit log is sound."""
    with server.database.read() as session:
        session.execute(text("SELECT 1"))
    damaged = server.sequencer.problem is not None
    if damaged:
        response.status_code = 503
    return {
        "status": "audit_log_damaged" if damaged else "ok",
        "provider": server.vision.provider,
        "notices": server.vision.notices,
        "policy": server.vision.policy.version,
    }


@router.get("/metrics", include_in_schema=False)
def metrics(server: Server) -> Response:
    """Jobs by state, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(LOG_IN_FAILURES)
    jobs = Gauge("assent_jobs", "Jobs by state.", ["state"], registry=registry)
    with server.database.read() as session:
        rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
        counts = {row[0]: row[1] for row in rows}
    for state in State:
        jobs.labels(state=state.value).set(counts.get(state.value, 0))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
