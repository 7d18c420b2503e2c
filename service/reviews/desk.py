"""Who sits at the desk: the signed-in reviewer behind a request, and forms that are certainly theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import Depends, Request

from service.assembly import Assent
from service.platform.access import Server
from service.tenants.sessions import LogIn, find_session
from service.tenants.tables import Reviewer
from service.web.cookies import read_cookie
from service.web.errors import GoElsewhere
from service.web.forms import Form, cross_site

SESSION_COOKIE = "session"
LOGIN_PAGE = "/admin/login"


@dataclass(frozen=True, slots=True)
class Desk:
    """A signed-in reviewer and the server that they work with."""

    server: Assent
    log_in: LogIn

    @property
    def reviewer(self) -> Reviewer:
        """The person."""
        return self.log_in.reviewer

    @property
    def tenant_id(self) -> str:
        """The organisation whose cases they see."""
        return self.log_in.tenant.id


def log_in_of(request: Request, server: Server) -> LogIn | None:
    """The live log-in of the request's cookie."""
    token = read_cookie(request, SESSION_COOKIE)
    if not token:
        return None
    with server.database.read() as session:
        return find_session(session, server.pepper, token)


def desk_of(request: Request, server: Server) -> Desk:
    """The desk, or the log-in page, which leads back to where the person wanted to go."""
    found = log_in_of(request, server)
    if found is None:
        wanted = request.url.path if request.method == "GET" else ""
        raise GoElsewhere(LOGIN_PAGE + (f"?next={quote(wanted)}" if wanted not in ("", "/admin") else ""))
    structlog.contextvars.bind_contextvars(tenant_id=found.tenant.id, reviewer_id=found.reviewer.id)
    return Desk(server, found)


SignedIn = Annotated[Desk, Depends(desk_of)]


def trusted_form_of(desk: SignedIn, form: Form) -> dict[str, str]:
    """The form's fields; 403 where it does not carry this session's token."""
    if not desk.log_in.sent_token(form.get("csrf", "")):
        raise cross_site()
    return form


TrustedForm = Annotated[dict[str, str], Depends(trusted_form_of)]
