"""Our own style sheet and pictures, read once and served under addresses that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import Response

from service.platform.problems import not_found

PREFIX = "/admin/static"
_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    media_type: str
    version: str


def _read(path: Path) -> _File:
    data = path.read_bytes()
    return _File(data, _TYPES[path.suffix], hashlib.sha256(data).hexdigest()[:16])


_FILES = {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def static_url(name: str) -> str:
    """The address of a static file, with the version that lets browsers keep it for ever."""
    return f"{PREFIX}/{name}?v={_FILES[name].version}"


def static_file(name: str) -> Response:
    """A static file by its name; 404 for anything that does not ship with Assent."""
    file = _FILES.get(name)
    if file is None:
        raise not_found("file")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": f'"{file.version}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(file.data, media_type=file.media_type, headers=headers)
