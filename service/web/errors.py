"""Errors of pages: people get a page that says what to do next, where the API answers with a problem document."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from pipeline.errors import PipelineError
from service.platform.problems import Problem, problem_of
from service.web.pages import HEADERS, page

_log = structlog.get_logger(__name__)
_TITLES = {
    403: "That did not go through",
    404: "Nothing here",
    409: "Already decided",
    410: "No longer there",
    429: "One moment",
    500: "Something went wrong",
}


class GoElsewhere(Exception):
    """The request is answered by another page, such as the log-in."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler; whatever it raises, in a dependency or in the endpoint, ends here."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except GoElsewhere as detour:
                return go_to(detour.location)
            except Exception as error:
                return _error_page(request, _problem(request, error))

        return answer


def go_to(location: str) -> RedirectResponse:
    """Send the browser to another of our pages, with GET."""
    return RedirectResponse(location, 303, headers=dict(HEADERS))


def _problem(request: Request, error: Exception) -> Problem:
    """The error as it is told; one that nobody foresaw is logged and told as ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, PipelineError):
        return problem_of(error)
    if isinstance(error, RequestValidationError):
        return Problem(422, "invalid_request", "The address or the form is not complete.")
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        return Problem(error.status_code, "http_error", phrase, headers=error.headers)
    _log.exception("unexpected_error", path=request.url.path, exc_info=error)
    return Problem(500, "internal_error", "The error is on our side. It is logged under the number below.")


def _error_page(request: Request, problem: Problem) -> HTMLResponse:
    title = _TITLES.get(problem.status, problem.document()["title"])
    response = page(
        "admin/error.html",
        problem.status,
        title=title,
        problem=problem,
        request_id=getattr(request.state, "request_id", None),
    )
    response.headers.update(problem.headers)
    return response
