"""`/admin/login` and `/admin/logout`: the door of the review desk."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.audit.events import EventKind
from service.audit.recorder import record
from service.platform.access import Server
from service.reviews.desk import LOGIN_PAGE, SESSION_COOKIE, SignedIn, TrustedForm, log_in_of
from service.tenants.reviewers import authenticate
from service.tenants.sessions import SESSION_FOR, close_session, open_session
from service.tenants.tables import Reviewer
from service.web.cookies import drop_cookie, read_cookie, set_cookie
from service.web.errors import PageRoute, go_to
from service.web.forms import Form, cross_site
from service.web.pages import page

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=PageRoute)

_TOKEN_COOKIE = "login"  # noqa: S105 - the name of a cookie
_TOKEN_SECONDS = 3600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# Only our own pages are led back to, so that nobody's link ends on a foreign log-in page.
_OWN_PAGE = re.compile(r"/admin(?:/cases/[a-z0-9_]{1,80})?")
_WRONG = (
    "The e-mail address or the password is wrong. "
    "After five wrong tries an account is closed for 15 minutes; then also the right password is turned away."
)


@router.get("/login")
def show_log_in(request: Request, server: Server, next: str = "") -> Response:  # noqa: A002 - the query's name
    """The log-in form. Its token stops other sites from logging somebody in as somebody else."""
    if log_in_of(request, server) is not None:
        return go_to("/admin")
    return _show_form(request, wanted=next)


def _show_form(request: Request, *, wanted: str, email: str = "", error: str = "", status: int = 200) -> Response:
    token = read_cookie(request, _TOKEN_COOKIE)
    if not _TOKEN.fullmatch(token):
        token = secrets.token_urlsafe(32)
    shown = {"csrf": token, "next": _own(wanted), "email": email, "error": error}
    response = page("admin/login.html", status, **shown)
    set_cookie(request, response, _TOKEN_COOKIE, token, _TOKEN_SECONDS)
    return response


@router.post("/login")
def log_in(request: Request, server: Server, form: Form) -> Response:
    """Check the password and begin a session. The answer is the same for unknown, locked and wrong."""
    token = read_cookie(request, _TOKEN_COOKIE)
    if not token or not hmac.compare_digest(token.encode(), form.get("csrf", "").encode()):
        raise cross_site()
    email, wanted = form.get("email", ""), form.get("next", "")
    attempt = authenticate(server.database, email, form.get("password", ""))
    with server.database.write() as session:
        if attempt.reviewer is None or not attempt.accepted:
            _record(session, EventKind.LOGIN_FAILED, attempt.reviewer)
            reviewer = None
        else:
            reviewer = attempt.reviewer
            close_session(session, server.pepper, read_cookie(request, SESSION_COOKIE))
            fresh = open_session(session, server.pepper, reviewer.id)
            _record(session, EventKind.LOGIN_SUCCEEDED, reviewer)
    if reviewer is None:
        return _show_form(request, wanted=wanted, email=email, error=_WRONG, status=403)
    response = go_to(_own(wanted))
    set_cookie(request, response, SESSION_COOKIE, fresh, int(SESSION_FOR.total_seconds()))
    drop_cookie(request, response, _TOKEN_COOKIE)
    return response


@router.post("/logout")
def log_out(request: Request, desk: SignedIn, _form: TrustedForm) -> Response:
    """End the session here and in the database."""
    with desk.server.database.write() as session:
        close_session(session, desk.server.pepper, read_cookie(request, SESSION_COOKIE))
        _record(session, EventKind.LOGGED_OUT, desk.reviewer)
    response = go_to(LOGIN_PAGE)
    drop_cookie(request, response, SESSION_COOKIE)
    return response


def _record(session: Session, kind: EventKind, reviewer: Reviewer | None) -> None:
    """Log a log-in event. Of an unknown account nothing is kept: people type passwords into the wrong field."""
    known: dict[str, Any] = {"reviewer": reviewer.id, "method": "password"} if reviewer else {"method": "password"}
    tenant_id, actor = (reviewer.tenant_id, reviewer.id) if reviewer else (None, "anonymous")
    record(session, kind, tenant_id=tenant_id, actor=actor, refs=known)


def _own(wanted: str) -> str:
    return wanted if _OWN_PAGE.fullmatch(wanted) else "/admin"
