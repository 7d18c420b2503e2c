"""Cookies: invisible to scripts, sent to this site only, and bound to the host where the connection is encrypted."""

from __future__ import annotations

from fastapi import Request, Response


def read_cookie(request: Request, name: str) -> str:
    """The cookie's value, or an empty text."""
    return request.cookies.get(_full_name(request, name), "")


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that ends by itself."""
    response.set_cookie(
        _full_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Make the browser forget the cookie."""
    response.delete_cookie(
        _full_name(request, name), path="/", secure=_is_https(request), httponly=True, samesite="strict"
    )


def _full_name(request: Request, name: str) -> str:
    # RFC 6265bis, 4.1.3: browsers accept the prefix only with Secure, without Domain, and with the path "/".
    return f"__Host-assent-{name}" if _is_https(request) else f"assent-{name}"


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"
