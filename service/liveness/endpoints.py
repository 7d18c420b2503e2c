"""`/v1/liveness-sessions`: proving that a living person, and which one, is in front of the camera."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from service.assets.uploads import MOST_BYTES, read_body
from service.liveness.frames import MAX_FRAME_BYTES, PostedFrame, add_frame, expect_frame
from service.liveness.sessions import find_session, open_session
from service.liveness.tables import LivenessSession
from service.liveness.verdicts import complete
from service.platform.access import ApiCaller, Bearer, Server
from service.platform.database import now

router = APIRouter(prefix="/v1/liveness-sessions", tags=["liveness"])


class LivenessIn(BaseModel):
    """Whose liveness, and where the frames will come from: declared by the client, and recorded as such.

    Frames from a `camera` are sent while they are captured, and judged by when they arrive. A `file` is accepted only
    where the server's settings say so.
    """

    model_config = ConfigDict(extra="forbid")

    subject_id: str
    capture_source: Literal["camera", "file"] = "camera"


class LivenessOut(BaseModel):
    """A session. `moves` are the head turns to make, in the person's own left and right; `hint` is for the person."""

    id: str
    subject_id: str
    state: str
    capture_source: str
    moves: list[str]
    expires_at: datetime
    outcome: str | None
    reasons: list[str] | None
    hint: str | None


class OpenedOut(LivenessOut):
    """A new session with its upload token and the nonce that every frame carries, which are shown once."""

    token: str
    nonce: str


def _fields(liveness: LivenessSession) -> dict[str, Any]:
    shown = {name: getattr(liveness, name) for name in LivenessOut.model_fields if name != "moves"}
    return shown | {"moves": liveness.challenge["moves"]}


@router.post("", status_code=201)
def open_(body: LivenessIn, response: Response, server: Server, caller: ApiCaller) -> OpenedOut:
    """Start a session: it gives a random order of head turns and a token to upload the frames with."""
    liveness, token = open_session(server, caller, body.subject_id, body.capture_source)
    response.headers["Location"] = f"/v1/liveness-sessions/{liveness.id}"
    return OpenedOut.model_validate(_fields(liveness) | {"token": token, "nonce": liveness.challenge["nonce"]})


@router.put(
    "/{session_id}/frames/{sequence}",
    status_code=204,
    max_body_size=MOST_BYTES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_frame(  # noqa: PLR0917 - the web framework passes them by name
    session_id: str,
    sequence: Annotated[int, Path(ge=0, lt=5000)],
    t: Annotated[float, Query(ge=0, le=600, description="When the frame was captured, seconds since the first.")],
    request: Request,
    server: Server,
    credentials: Bearer,
    nonce: Annotated[str | None, Header(alias="Assent-Nonce", description="The nonce of the opened session.")] = None,
) -> None:
    """Send one frame, numbered from 0, with the session's own token and nonce, as soon as it is captured."""
    token = credentials.credentials if credentials else None
    liveness = await run_in_threadpool(expect_frame, server, session_id, sequence, token=token, nonce=nonce)
    data = await read_body(request, MAX_FRAME_BYTES)
    await run_in_threadpool(add_frame, server, liveness, PostedFrame(sequence, t, now(), data))


@router.post("/{session_id}/complete")
def finish(session_id: str, server: Server, credentials: Bearer) -> LivenessOut:
    """End the session and get its result: live, not_live or not_usable, with a hint to the person."""
    token = credentials.credentials if credentials else None
    return LivenessOut.model_validate(_fields(complete(server, session_id, token)))


@router.get("/{session_id}")
def describe(session_id: str, server: Server, caller: ApiCaller) -> LivenessOut:
    """Where a session is."""
    with server.database.read() as session:
        return LivenessOut.model_validate(_fields(find_session(session, caller.tenant_id, session_id)))
