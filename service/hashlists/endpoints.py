"""`/v1/hash-lists`: a tenant's own lists of pictures that may not be used."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pipeline.decode import decode_picture
from service.assets.uploads import MOST_BYTES, read_body
from service.hashlists.exchange import export_csv, export_json, parse
from service.hashlists.register import add_entries, add_picture, create_list, find_list, lists_of, remove_entry
from service.platform.access import ApiCaller, Caller, Server
from service.platform.problems import Problem

router = APIRouter(prefix="/v1/hash-lists", tags=["known pictures"])

_IMPORT_BYTES = 64 * 1024 * 1024


class ListIn(BaseModel):
    """A new list."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$", examples=["do-not-use"])]


class ListOut(BaseModel):
    """A list and how many pictures are on it."""

    id: str
    name: str
    pictures: int
    created_at: datetime


class AddedOut(BaseModel):
    """What was added."""

    entries: list[str]


@router.post("", status_code=201)
def create(body: ListIn, response: Response, server: Server, caller: ApiCaller) -> ListOut:
    """Make a list."""
    with server.database.write() as session:
        made = create_list(session, caller.tenant_id, body.name)
        response.headers["Location"] = f"/v1/hash-lists/{made.id}"
        return ListOut(id=made.id, name=made.name, pictures=0, created_at=made.created_at)


@router.get("")
def list_lists(server: Server, caller: ApiCaller) -> list[ListOut]:
    """The tenant's lists."""
    with server.database.read() as session:
        return [
            ListOut(id=on.id, name=on.name, pictures=count, created_at=on.created_at)
            for on, count in lists_of(session, caller.tenant_id)
        ]


@router.post(
    "/{list_id}/entries",
    status_code=201,
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": {"type": "string", "format": "binary"}},
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
        }
    },
)
async def add(list_id: str, request: Request, server: Server, caller: ApiCaller) -> AddedOut:
    """Add a picture, sent as the body, of which only hashes are kept; or import a list as CSV or JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in ("text/csv", "application/json"):
        data = await read_body(request, _IMPORT_BYTES)
        return AddedOut(entries=await run_in_threadpool(_import, server, caller, list_id, data))
    data = await read_body(request, server.settings.max_upload_bytes)
    return AddedOut(entries=await run_in_threadpool(_add, server, caller, list_id, data))


def _add(server: Server, caller: Caller, list_id: str, data: bytes) -> list[str]:
    pixels = decode_picture(data, server.picture_limits).pixels
    with server.database.write() as session:
        on = find_list(session, caller.tenant_id, list_id)
        return [add_picture(session, on, pixels, actor=caller.actor, reason="tenant")]


def _import(server: Server, caller: Caller, list_id: str, data: bytes) -> list[str]:
    try:
        pictures = parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Problem(422, "list_invalid", "The list is not UTF-8 text.") from error
    with server.database.write() as session:
        on = find_list(session, caller.tenant_id, list_id)
        return add_entries(session, on, pictures, actor=caller.actor, reason="imported", method="import")


@router.get("/{list_id}/export")
def export(list_id: str, server: Server, caller: ApiCaller, form: Literal["csv", "json"] = "json") -> Response:
    """The list as a file to exchange."""
    with server.database.read() as session:
        on = find_list(session, caller.tenant_id, list_id)
        if form == "csv":
            return Response(export_csv(session, on), media_type="text/csv")
        return Response(export_json(session, on), media_type="application/json")


@router.delete("/{list_id}/entries/{entry_id}", status_code=204)
def remove(list_id: str, entry_id: str, server: Server, caller: ApiCaller) -> None:
    """Take a picture off a list."""
    with server.database.write() as session:
        on = find_list(session, caller.tenant_id, list_id)
        remove_entry(session, on, entry_id, actor=caller.actor, reason="removed")
