"""Posted forms: small, plain text, and only from our own pages."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from service.assets.uploads import read_body
from service.platform.problems import Problem

_MAX_BYTES = 64 * 1024
_MAX_FIELDS = 20
_OTHER_SITES = ("cross-site", "same-site")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an URL-encoded form. Raises `Problem` for other bodies and for posts from other sites.

    `Sec-Fetch-Site` is a second lock beside the token: browsers set it themselves, a page cannot forge it.
    """
    if request.headers.get("sec-fetch-site") in _OTHER_SITES:
        raise cross_site()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported_form", "This takes the form of the page only.")
    body = await read_body(request, _MAX_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:  # not ASCII, not UTF-8 inside, or too many fields
        raise Problem(400, "malformed_form", "The form does not have the form of the page.") from None
    if any("\x00" in text for pair in pairs for text in pair):
        raise Problem(400, "malformed_form", "The form holds a character that is no text.")
    return dict(pairs)


def cross_site() -> Problem:
    """403 for a form that did not come from a page that we gave to this person."""
    detail = "The form is too old, or was not sent from this page."
    return Problem(403, "form_not_trusted", detail, hint="Go back, reload the page, and send it again.")


Form = Annotated[dict[str, str], Depends(read_form)]
