"""Errors as RFC 9457 problem documents, with stable types and the id of the request."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.errors import ModelUnavailable, PipelineError
from service.platform.blobs import BlobMissing
from service.platform.vault import KeyDestroyed

_TYPE = "urn:assent:problem:"
_MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


class Problem(Exception):
    """A request that cannot be served, told to the caller as it is.

    `code` is stable (`grant_withdrawn`), `detail` says what happened and `hint` what to do; `more` adds members.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.hint = status, code, detail, hint
        self.headers = dict(headers or {})
        self.more = more

    def document(self) -> dict[str, Any]:
        """The members of the problem document, without the request's."""
        document: dict[str, Any] = {
            "type": _TYPE + self.code,
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.hint:
            document["hint"] = self.hint
        return document | self.more


def not_found(what: str) -> Problem:
    """The same answer for what does not exist and for what belongs to somebody else."""
    return Problem(404, f"{what.replace(' ', '_')}_not_found", f"There is no such {what}.")


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error, expected or not, with a problem document; give every request an id."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(PipelineError, _on_pipeline_error)
    for erased in (KeyDestroyed, BlobMissing):
        app.add_exception_handler(erased, _on_erased)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)
    app.middleware("http")(_with_request_id)


async def _with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.request_id = "req_" + secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request.state.request_id)
    if request.url.path.startswith("/v1/") and ("\0" in request.url.path or "%00" in str(request.url)):
        # No identifier holds one, and PostgreSQL refuses it as a value.
        return _answer(request, Problem(400, "invalid_request", "The address holds a NUL character."))
    response = await call_next(request)
    response.headers["X-Request-Id"] = request.state.request_id
    return response


def _answer(request: Request, problem: Problem) -> JSONResponse:
    request_id = getattr(request.state, "request_id", None)
    document = problem.document() | {"instance": request.url.path, "request_id": request_id}
    return JSONResponse(document, problem.status, media_type=_MEDIA_TYPE, headers=problem.headers)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - the registration above guarantees it
    return _answer(request, error)


async def _on_pipeline_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PipelineError)  # noqa: S101 - the registration above guarantees it
    return _answer(request, problem_of(error))


def problem_of(error: PipelineError) -> Problem:
    """A pipeline error as the caller sees it: what is wrong with a picture is theirs, a missing model ours."""
    status = {"too_many_bytes": 413, "unsupported_format": 415, "decoder_unavailable": 503}.get(error.code, 422)
    status = 503 if isinstance(error, ModelUnavailable) else status
    return Problem(status, error.code, error.message, hint=error.hint)


async def _on_erased(request: Request, error: Exception) -> Response:
    _log.info("erased_data_asked_for", path=request.url.path)
    return _answer(request, Problem(410, "erased", "What this asks for was erased."))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the registration above guarantees it
    # The rejected input itself is left out: it may be a secret or somebody's picture.
    errors = [{"where": list(e["loc"]), "what": e["msg"]} for e in error.errors()[:20]]
    problem = Problem(422, "invalid_request", "The request does not have the documented form.", errors=errors)
    return _answer(request, problem)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the registration above guarantees it
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    detail = error.detail if isinstance(error.detail, str) else phrase
    return _answer(request, Problem(error.status_code, code, detail, headers=error.headers))


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.exception("unexpected_error", path=request.url.path, exc_info=error)
    detail = "Something went wrong on our side. It is logged under the request id."
    return _answer(request, Problem(500, "internal_error", detail))
