"""`/v1/grants`: giving, reading and withdrawing consent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.consents.grants import Purpose, find_grant, give_grant, withdraw_grant
from service.consents.tables import Grant
from service.platform.access import ApiCaller, Server

router = APIRouter(prefix="/v1/grants", tags=["consent"])


class GrantIn(BaseModel):
    """A subject's consent, in the words that they saw."""

    model_config = ConfigDict(extra="forbid")

    liveness_session_id: str
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=20)]
    expires_at: AwareDatetime
    statement: Annotated[str, Field(min_length=20, max_length=20_000, description="The exact text consented to.")]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", examples=["en"])] = "en"
    signed_name: Annotated[str, Field(min_length=1, max_length=200, description="The name as typed to sign.")]


class GrantOut(BaseModel):
    """A grant; `receipt` is what the subject keeps, and its hash is in every output made under it."""

    id: str
    subject_id: str
    purposes: list[str]
    granted_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    receipt: dict[str, Any]
    receipt_sha256: str


def _out(grant: Grant) -> GrantOut:
    return GrantOut.model_validate(grant, from_attributes=True)


@router.post("", status_code=201)
def give(body: GrantIn, response: Response, server: Server, caller: ApiCaller) -> GrantOut:
    """Record a grant. It needs a liveness session that this subject has just passed and that was not used before."""
    grant = give_grant(server, caller, **body.model_dump())
    response.headers["Location"] = f"/v1/grants/{grant.id}"
    return _out(grant)


@router.get("/{grant_id}")
def describe(grant_id: str, server: Server, caller: ApiCaller) -> GrantOut:
    """A grant and its receipt."""
    with server.database.read() as session:
        return _out(find_grant(session, caller.tenant_id, grant_id))


@router.post("/{grant_id}/withdraw")
def withdraw(grant_id: str, server: Server, caller: ApiCaller) -> GrantOut:
    """Withdraw consent: unfinished jobs stop, released outputs become unreadable. Doing it twice changes nothing."""
    with server.database.write() as session:
        grant = find_grant(session, caller.tenant_id, grant_id)
        withdraw_grant(server, session, grant, caller.actor)
        return _out(grant)
