"""HTML pages: one template environment, and headers that let a page load nothing but our own style and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.platform.database import now
from service.web.static import static_url

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template below `service/web/templates`. Every value is escaped; an unknown name is an error."""
    text = _ENVIRONMENT.get_template(template).render(context)
    return HTMLResponse(text, status, headers=dict(HEADERS))


def words(code: str) -> str:
    """A code as a person reads it: `film_post_production` is `Film post production`."""
    text = code.replace("_", " ").replace(".", ": ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def ago(at: datetime) -> str:
    """How long ago, in one unit: `12 min`, `3 h`, `2 days`."""
    minutes = max(0, int((now() - at).total_seconds() // 60))
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h"
    return f"{hours // 24} days"


def utc(at: datetime) -> str:
    """A time as `2026-05-01 09:30 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def clock(at: datetime) -> str:
    """The time of day as `09:30:05 UTC`."""
    return f"{at:%H:%M:%S} UTC"


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "ago": ago, "utc": utc, "clock": clock}
    environment.globals["static_url"] = static_url
    return environment


_ENVIRONMENT = _make_environment()
