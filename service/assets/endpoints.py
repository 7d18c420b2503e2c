"""`/v1/assets`: uploading pictures and erasing them."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from service.assets.library import add_asset, erase_asset, find_asset
from service.assets.tables import Asset
from service.assets.uploads import MOST_BYTES, read_body
from service.platform.access import ApiCaller, Server

router = APIRouter(prefix="/v1/assets", tags=["assets"])


class AssetOut(BaseModel):
    """An uploaded picture. `notices` say what decoding changed, such as `orientation_applied`."""

    id: str
    media_type: str
    sha256: str
    size: int
    width: int
    height: int
    notices: list[str]
    created_at: datetime


def _out(asset: Asset) -> AssetOut:
    return AssetOut.model_validate(asset, from_attributes=True)


@router.post(
    "",
    status_code=201,
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, response: Response, server: Server, caller: ApiCaller) -> AssetOut:
    """Upload a picture as the body of the request: JPEG, PNG or WebP, one frame."""
    data = await read_body(request, server.settings.max_upload_bytes)
    asset = await run_in_threadpool(add_asset, server, caller, data)
    response.headers["Location"] = f"/v1/assets/{asset.id}"
    return _out(asset)


@router.get("/{asset_id}")
def describe(asset_id: str, server: Server, caller: ApiCaller) -> AssetOut:
    """What is known of an asset. The bytes themselves are not given back."""
    with server.database.read() as session:
        return _out(find_asset(session, caller.tenant_id, asset_id))


@router.delete("/{asset_id}", status_code=204)
def erase(asset_id: str, server: Server, caller: ApiCaller) -> None:
    """Erase an asset for good. Jobs that still need it end as failed."""
    with server.database.write() as session:
        erase_asset(server, session, find_asset(session, caller.tenant_id, asset_id), caller.actor)
