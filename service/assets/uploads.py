"""Reading a request's body with a limit, so that nobody fills the memory."""

from __future__ import annotations

from fastapi import Request

from service.platform.problems import Problem

# What a route that takes pictures reads at most, whatever the settings say; every other route takes far less.
MOST_BYTES = 256 * 1024 * 1024
MOST_JSON_BYTES = 256 * 1024


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; 413 as soon as it is, or says that it will be, larger than `limit` bytes."""
    too_large = Problem(
        413, "too_many_bytes", f"The body is larger than {limit} bytes.", hint="Send a smaller picture."
    )
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return b"".join(parts)
