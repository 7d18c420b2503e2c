"""`/v1/audit`: checkpoints, keys and proofs of the tamper-evident log."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from provenance.audit import ProofError, TreeError
from service.audit.queries import consistency_proof, events_of_job, latest_checkpoint, receipt_for
from service.audit.store import SqlAuditStore
from service.audit.tables import AuditEvent
from service.jobs.submission import find_job
from service.platform.access import ApiCaller, Server
from service.platform.problems import Problem

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_TEXT = "text/plain; charset=utf-8"


class ConsistencyOut(BaseModel):
    """Hashes (hexadecimal) that prove a tree of `new` leaves to contain, unchanged, the tree of `old`."""

    old: int
    new: int
    proof: list[str]


@router.get("/checkpoint", responses={200: {"content": {"text/plain": {}}}})
def checkpoint(server: Server, _caller: ApiCaller) -> Response:
    """The newest checkpoint, a signed note. Keep it: a later log must be consistent with it."""
    with server.database.read() as session:
        note = latest_checkpoint(session)
    if note is None:
        raise Problem(404, "checkpoint_not_found", "No checkpoint is signed yet.", hint="Ask again in a few seconds.")
    return Response(note, media_type=_TEXT)


@router.get("/keys", responses={200: {"content": {"text/plain": {}}}})
def keys(server: Server, _caller: ApiCaller) -> Response:
    """The log's public keys, one verifier key a line."""
    lines = (verifier.vkey() for verifier in server.log_keys.verifiers)
    return Response("\n".join(lines) + "\n", media_type=_TEXT)


@router.get("/consistency")
def consistency(
    old: Annotated[int, Query(ge=0, lt=1 << 53)],
    new: Annotated[int, Query(ge=0, lt=1 << 53)],
    server: Server,
    _caller: ApiCaller,
) -> ConsistencyOut:
    """The proof that the log only grew between two sizes."""
    with server.database.read() as session:
        if new > SqlAuditStore(session).size():
            raise Problem(422, "no_such_tree", "The log is not that large.")
        try:
            proof = consistency_proof(session, old, new)
        except (ProofError, TreeError) as error:
            raise Problem(422, "no_such_tree", str(error)) from error
    return ConsistencyOut(old=old, new=new, proof=[step.hex() for step in proof])


@router.get("/jobs/{job_id}")
def events(job_id: str, server: Server, caller: ApiCaller) -> list[dict[str, Any]]:
    """Everything that was logged of a job, as the leaves say it."""
    with server.database.read() as session:
        find_job(session, caller.tenant_id, job_id)
        return [json.loads(event.leaf) for event in events_of_job(session, caller.tenant_id, job_id)]


@router.get("/events/{event_id}/receipt", responses={200: {"content": {"text/plain": {}}}})
def receipt(event_id: str, server: Server, caller: ApiCaller) -> Response:
    """The inclusion proof of one of the tenant's events."""
    with server.database.read() as session:
        event = session.get(AuditEvent, event_id)
        proof = receipt_for(session, event_id) if event and event.tenant_id == caller.tenant_id else None
    if proof is None:
        raise Problem(404, "receipt_not_found", "There is no such event, or its checkpoint is not signed yet.")
    return Response(proof, media_type=_TEXT)
