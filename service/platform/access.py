"""Who is calling: the API key's tenant, resolved once a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.assembly import Assent
from service.platform.problems import Problem
from service.tenants.keys import find_api_key

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer ak_…`.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant acting through one of its API keys."""

    tenant_id: str
    key_id: str

    @property
    def actor(self) -> str:
        """How the audit log names the caller."""
        return self.key_id


def assent_of(request: Request) -> Assent:
    """The assembled server behind this request."""
    return cast(Assent, request.app.state.assent)


Server = Annotated[Assent, Depends(assent_of)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def caller_of(server: Server, credentials: Bearer) -> Caller:
    """The caller, or 401. The same answer for a missing, malformed, unknown and revoked key."""
    if credentials is not None:
        with server.database.read() as session:
            key = find_api_key(session, server.pepper, credentials.credentials)
            if key is not None:
                structlog.contextvars.bind_contextvars(tenant_id=key.tenant_id, key_id=key.id)
                return Caller(key.tenant_id, key.id)
    raise unauthorised("This needs a valid API key.", "Send it as 'Authorization: Bearer ak_…'.")


def unauthorised(detail: str, hint: str) -> Problem:
    """A 401 with the challenge that RFC 9110 asks for."""
    return Problem(401, "unauthorised", detail, hint=hint, headers={"WWW-Authenticate": "Bearer"})


ApiCaller = Annotated[Caller, Depends(caller_of)]
