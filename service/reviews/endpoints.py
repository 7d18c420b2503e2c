"""`/admin`: the review desk. A queue, a case with its pictures covered, and a decision."""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

from fastapi import APIRouter, Request, Response

from service.audit.events import EventKind
from service.audit.recorder import record
from service.platform.problems import Problem, not_found
from service.reviews import wording
from service.reviews.access import router as access
from service.reviews.cases import Decision, decide, open_case, queue, waiting
from service.reviews.desk import Desk, SignedIn, TrustedForm
from service.reviews.dossier import gather
from service.reviews.pictures import View, reveal_picture, see_picture
from service.web.cookies import drop_cookie, read_cookie, set_cookie
from service.web.errors import PageRoute, go_to
from service.web.pages import HEADERS, page
from service.web.static import static_file

router = APIRouter(include_in_schema=False, route_class=PageRoute)
router.include_router(access)

_MIN_NOTE = 3
_MAX_NOTE = 2000
_FLASH_COOKIE = "flash"
_FLASH = re.compile(r"(rendering|refused)\.(job_[a-z0-9]{12,64})")


@router.get("/admin")
def show_queue(request: Request, desk: SignedIn) -> Response:
    """The open cases, longest waiting first, and what came of the last decision."""
    with desk.server.database.read() as session:
        cases, count = queue(session, desk.tenant_id), waiting(session, desk.tenant_id)
    flash = _FLASH.fullmatch(read_cookie(request, _FLASH_COOKIE))
    done = {"state": flash[1], "job_id": flash[2]} if flash else None
    response = page("admin/queue.html", desk=desk, cases=cases, count=count, done=done, wording=wording)
    if done:
        drop_cookie(request, response, _FLASH_COOKIE)
    return response


@router.get("/admin/cases/{job_id}")
def show_case(job_id: str, desk: SignedIn, covered: bool = False) -> Response:
    """One case. `covered` hides pictures that were uncovered a moment ago."""
    return _case_page(desk, job_id, covered=covered)


def _case_page(
    desk: Desk,
    job_id: str,
    *,
    covered: bool = False,
    note: str = "",
    error: str = "",
    about: Literal["note", "pictures"] = "note",
    status: int = 200,
) -> Response:
    """The case; `error` says what is wrong with a decision that was sent, and `about` which part of the page to fix."""
    with desk.server.database.write() as session:
        case = open_case(session, desk.tenant_id, job_id)
        refs = {"job": job_id, "stage": case.judgement.stage}
        record(session, EventKind.REVIEW_VIEWED, tenant_id=desk.tenant_id, actor=desk.reviewer.id, refs=refs)
        dossier = gather(session, desk, case)
    return page(
        "admin/case.html",
        status,
        desk=desk,
        dossier=dossier,
        covered=covered,
        note=note,
        error=error,
        about=about,
        max_note=_MAX_NOTE,
        wording=wording,
    )


@router.get("/admin/cases/{job_id}/pictures/{asset_id}/{view}")
def show_picture(job_id: str, asset_id: str, view: View, desk: SignedIn) -> Response:
    """A picture of an open case: blurred for everybody who may see the case, sharp for a minute after a reveal."""
    data = see_picture(desk, job_id, asset_id, view)
    return Response(data, media_type="image/jpeg", headers=dict(HEADERS))


@router.post("/admin/cases/{job_id}/pictures/{asset_id}/reveal")
def reveal(job_id: str, asset_id: str, desk: SignedIn, _trusted: TrustedForm) -> Response:
    """Uncover one picture for a short time."""
    reveal_picture(desk, job_id, asset_id)
    return go_to(f"/admin/cases/{job_id}#{asset_id}")


@router.post("/admin/cases/{job_id}/decision")
def post_decision(request: Request, job_id: str, desk: SignedIn, form: TrustedForm) -> Response:
    """Approve or refuse; the job goes on or ends, and the reviewer is back at the queue."""
    decision, note = _decision_of(form), form.get("note", "").strip()
    error = _complaint(decision, note)
    if error:
        return _case_page(desk, job_id, note=note, error=error, status=422)
    seen = form.get("judgement", "")
    if not (seen.isdecimal() and len(seen) < 19):  # what the database's integers hold
        raise Problem(400, "malformed_form", "The form does not say which verdict it is about.")
    try:
        with desk.server.database.write() as session:
            state = decide(desk.server, session, desk.reviewer, job_id, decision, note=note, judgement_id=int(seen))
    except Problem as problem:
        if problem.code != "pictures_covered":
            raise
        return _case_page(desk, job_id, note=note, error=problem.detail, about="pictures", status=409)
    response = go_to("/admin")
    set_cookie(request, response, _FLASH_COOKIE, f"{state.value}.{job_id}", 60)
    return response


def _decision_of(form: dict[str, str]) -> Decision:
    decision = form.get("decision", "")
    if decision not in get_args(Decision):
        raise Problem(400, "malformed_form", "A case is approved or refused.")
    return cast(Decision, decision)


def _complaint(decision: Literal["approve", "refuse"], note: str) -> str:
    """What is wrong with the note; empty where nothing is."""
    if decision == "refuse" and len(note) < _MIN_NOTE:
        return "Say in a few words why you refuse. The note stays with the case."
    if len(note) > _MAX_NOTE:
        return f"The note has {len(note)} characters; at most {_MAX_NOTE} are kept."
    return ""


@router.get("/admin/static/{name}")
def show_static(name: str) -> Response:
    """Our style sheet and pictures; these need no log-in."""
    return static_file(name)


@router.api_route("/admin/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nothing_here(path: str) -> Response:
    """Everything else below `/admin` is a page too, one that says so."""
    raise not_found("page")
