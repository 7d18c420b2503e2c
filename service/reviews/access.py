"""`/admin/login` and `/admin/logout`: the door of the review desk."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import Counter
from sqlalchemy.orm import Session

from service.assembly import Assent
from service.audit.events import EventKind
from service.audit.recorder import record
from service.platform.access import Server
from service.platform.problems import Problem
from service.reviews.desk import LOGIN_PAGE, SESSION_COOKIE, SignedIn, TrustedForm, log_in_of
from service.tenants.reviewers import Answer, authenticate
from service.tenants.sessions import SESSION_FOR, close_session, open_session
from service.tenants.tables import Reviewer
from service.web.cookies import drop_cookie, read_cookie, set_cookie
from service.web.errors import PageRoute, go_to
from service.web.forms import Form, cross_site
from service.web.limits import TokenBuckets, address_of
from service.web.pages import page

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=PageRoute)

_log = structlog.get_logger(__name__)

LOG_IN_FAILURES = Counter(
    "assent_log_in_failures", "Log-ins at the review desk that were turned away, by reason.", ["reason"], registry=None
)
"""Every failure counts here; the audit log has those that were counted against an account."""

# A person who mistypes, or an office that shares an address, stays below it; argon2 for it takes a twentieth of a core.
_TRIES = TokenBuckets(10, seconds_per_try=6.0)
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


async def log_in_form_of(request: Request, form: Form) -> dict[str, str]:
    """The form of our own page, from an address that has tries left; neither costs a thread, a hash or a write."""
    token = read_cookie(request, _TOKEN_COOKIE)
    if not token or not hmac.compare_digest(token.encode(), form.get("csrf", "").encode()):
        raise cross_site()
    wait = _TRIES.take(address_of(request))
    if wait:
        LOG_IN_FAILURES.labels(reason="address_limited").inc()
        detail = "There were too many tries to log in from your network."
        headers = {"Retry-After": str(wait)}
        raise Problem(429, "too_many_log_ins", detail, hint=f"Try again in {wait} seconds.", headers=headers)
    return form


LogInForm = Annotated[dict[str, str], Depends(log_in_form_of)]


@router.post("/login")
def log_in(request: Request, form: LogInForm, server: Server) -> Response:
    """Check the password and begin a session. The answer is the same for unknown, locked and wrong."""
    email, wanted = form.get("email", ""), form.get("next", "")
    reviewer = _admitted(server, email, form.get("password", ""))
    if reviewer is None:
        return _show_form(request, wanted=wanted, email=email, error=_WRONG, status=403)
    with server.database.write() as session:
        close_session(session, server.pepper, read_cookie(request, SESSION_COOKIE))
        fresh = open_session(session, server.pepper, reviewer.id)
        _record(session, EventKind.LOGIN_SUCCEEDED, reviewer)
    response = go_to(_own(wanted))
    set_cookie(request, response, SESSION_COOKIE, fresh, int(SESSION_FOR.total_seconds()))
    drop_cookie(request, response, _TOKEN_COOKIE)
    return response


def _admitted(server: Assent, email: str, password: str) -> Reviewer | None:
    """The person whose password it is.

    A failure is an audit event while the account counts it, five times in a quarter of an hour. Others, which anybody
    can cause without end, are counted and logged without what was typed.
    """
    try:
        attempt = authenticate(server.database, email, password)
    except Problem:
        LOG_IN_FAILURES.labels(reason="busy").inc()
        raise
    if attempt.accepted:
        return attempt.reviewer
    LOG_IN_FAILURES.labels(reason=attempt.answer.value).inc()
    if attempt.answer is Answer.WRONG and attempt.reviewer is not None:
        with server.database.write() as session:
            _record(session, EventKind.LOGIN_FAILED, attempt.reviewer)
    else:
        _log.warning("log_in_failed", reason=attempt.answer.value)
    return None


@router.post("/logout")
def log_out(request: Request, desk: SignedIn, _form: TrustedForm) -> Response:
    """End the session here and in the database."""
    with desk.server.database.write() as session:
        close_session(session, desk.server.pepper, read_cookie(request, SESSION_COOKIE))
        _record(session, EventKind.LOGGED_OUT, desk.reviewer)
    response = go_to(LOGIN_PAGE)
    drop_cookie(request, response, SESSION_COOKIE)
    return response


def _record(session: Session, kind: EventKind, reviewer: Reviewer) -> None:
    refs = {"reviewer": reviewer.id, "method": "password"}
    record(session, kind, tenant_id=reviewer.tenant_id, actor=reviewer.id, refs=refs)


def _own(wanted: str) -> str:
    return wanted if _OWN_PAGE.fullmatch(wanted) else "/admin"
