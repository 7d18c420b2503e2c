"""`/v1/verify`: whether a file is one of ours, and as it left us."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from service.assets.uploads import MOST_BYTES, read_body
from service.platform.access import ApiCaller, Server
from service.verification.check import check_file

router = APIRouter(prefix="/v1/verify", tags=["verification"])


class VerificationOut(BaseModel):
    """What a file shows.

    `verdict`: `authentic` (both verifiers accept the credentials and the watermark agrees), `altered`,
    `marked_without_credentials` (our watermark, but the credentials are gone), or `unknown`. `status` is the
    registry's: `live`, `withdrawn`, `cancelled`, or null for what is not ours.
    """

    verdict: str
    watermark_id: str | None
    status: str | None
    exact_copy: bool
    job_id: str | None
    report: dict[str, Any]


@router.post(
    "",
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def verify(request: Request, server: Server, caller: ApiCaller) -> VerificationOut:
    """Check a picture, sent as the body: credentials by two verifiers, watermark, registry. Nothing of it is kept."""
    data = await read_body(request, server.settings.max_upload_bytes)
    return VerificationOut.model_validate(await run_in_threadpool(check_file, server, caller, data))
