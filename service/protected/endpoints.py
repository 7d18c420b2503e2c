"""`/v1/protected-lists` for a tenant's own lists, and `/v1/opt-outs`, which takes no account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pipeline.decode import decode_picture
from service.assets.uploads import MOST_BYTES, read_body
from service.platform.access import ApiCaller, Bearer, Caller, Server
from service.protected.optout import confirm_opt_out, open_opt_out, undo_opt_out
from service.protected.register import (
    Kind,
    add_entries,
    create_list,
    embedder_of,
    find_list,
    lists_of,
    remove_entry,
    template_from_photo,
)

router = APIRouter(tags=["protected people"])

ListName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$", examples=["staff"])]


class ListIn(BaseModel):
    """A new list."""

    model_config = ConfigDict(extra="forbid")

    name: ListName
    kind: Kind = "other"


class ListOut(BaseModel):
    """A list and how many people are on it. Who they are is not kept."""

    id: str
    name: str
    kind: str
    people: int
    created_at: datetime


class EntryOut(BaseModel):
    """A person on a list."""

    id: str


class OptOutOut(BaseModel):
    """A session to prove liveness with, at `/v1/liveness-sessions/{id}`, with its token, which is shown once."""

    id: str
    moves: list[str]
    expires_at: datetime
    token: str


class OptedOutOut(BaseModel):
    """The entry, and the secret that undoes it, which is shown once."""

    id: str
    secret: str


@router.post("/v1/protected-lists", status_code=201)
def create(body: ListIn, response: Response, server: Server, caller: ApiCaller) -> ListOut:
    """Make a list of people whose faces may not appear in the tenant's pictures."""
    with server.database.write() as session:
        made = create_list(session, caller.tenant_id, body.name, body.kind)
        response.headers["Location"] = f"/v1/protected-lists/{made.id}"
        return ListOut(id=made.id, name=made.name, kind=made.kind, people=0, created_at=made.created_at)


@router.get("/v1/protected-lists")
def list_lists(server: Server, caller: ApiCaller) -> list[ListOut]:
    """The tenant's lists."""
    with server.database.read() as session:
        return [
            ListOut(id=on.id, name=on.name, kind=on.kind, people=people, created_at=on.created_at)
            for on, people in lists_of(session, caller.tenant_id)
        ]


@router.post(
    "/v1/protected-lists/{list_id}/entries",
    status_code=201,
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add(list_id: str, request: Request, server: Server, caller: ApiCaller) -> EntryOut:
    """Add the person in a photo, sent as the body. Only a template is kept, encrypted; the photo is not."""
    data = await read_body(request, server.settings.max_upload_bytes)
    return EntryOut(id=await run_in_threadpool(_add_photo, server, caller, list_id, data))


def _add_photo(server: Server, caller: Caller, list_id: str, data: bytes) -> str:
    with server.database.read() as session:
        find_list(session, caller.tenant_id, list_id)
    template = template_from_photo(server, decode_picture(data, server.picture_limits).pixels)
    with server.database.write() as session:
        on = find_list(session, caller.tenant_id, list_id)
        embedder = embedder_of(server.vision.engine.embedder)
        added = add_entries(server, session, on, template[None], embedder=embedder, actor=caller.actor, origin="tenant")
        return added[0]


@router.delete("/v1/protected-lists/{list_id}/entries/{entry_id}", status_code=204)
def remove(list_id: str, entry_id: str, server: Server, caller: ApiCaller) -> None:
    """Take a person off a list; the template is deleted."""
    with server.database.write() as session:
        on = find_list(session, caller.tenant_id, list_id)
        remove_entry(session, on, entry_id, actor=caller.actor, reason="removed")


@router.post("/v1/opt-outs", status_code=201)
def opt_out(server: Server) -> OptOutOut:
    """Begin to opt out. Prove liveness with the token, then confirm; no account is needed."""
    liveness, token = open_opt_out(server)
    moves = list(liveness.challenge["moves"])
    return OptOutOut(id=liveness.id, moves=moves, expires_at=liveness.expires_at, token=token)


@router.post("/v1/opt-outs/{session_id}/confirm", status_code=201)
def confirm(session_id: str, server: Server, credentials: Bearer) -> OptedOutOut:
    """Be put on the list of people who opted out, after the session was passed, with the session's token."""
    entry, secret = confirm_opt_out(server, session_id, credentials.credentials if credentials else None)
    return OptedOutOut(id=entry, secret=secret)


@router.delete("/v1/opt-outs/{entry_id}", status_code=204)
def undo(entry_id: str, server: Server, credentials: Bearer) -> None:
    """Be taken off the list again, with the secret that was given."""
    undo_opt_out(server, entry_id, credentials.credentials if credentials else None)
