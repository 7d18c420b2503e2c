"""Brings a file from an https address or a file:// mirror, limited in size, with its digest."""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import httpx

from pipeline.errors import ModelUnavailable

Transferred = Callable[[int, int | None], None]
"""Called with how many bytes have come and how many there are, None where the other side does not say."""

_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = httpx.Timeout(60.0, connect=15.0)


@dataclass(frozen=True)
class Fetched:
    """A file that came: its digest, its size, and where it came from without query and credentials."""

    sha256: str
    size: int
    origin: str


def fetch(
    source: str,
    target: Path,
    *,
    limit: int,
    progress: Transferred | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Fetched:
    """Write the file at the address to `target`, which exists already; it holds a part where this raises.

    Redirects are followed by hand, at most five, and each is held to the same rules as the first address.

    Raises:
        ModelUnavailable: `download_refused`, the address is neither https nor file://, or is led astray;
            `download_too_large`, there are more than `limit` bytes; `download_failed`, it cannot be reached, breaks
            off, or does not fit on the disk.

    """
    address = _checked(source)
    try:
        with _opened(address, transport) as (length, chunks):
            _require_room(_origin(address), target, limit, length)
            sha256, size = _written(_limited(chunks, limit, _origin(address)), target, length, progress)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise ModelUnavailable(
            "download_failed",
            f"{_origin(address)} could not be fetched: {error or type(error).__name__}",
            "Check the address and the network, or fetch the file by other means and add it.",
        ) from error
    return Fetched(sha256, size, _origin(address))


def inside(folder: str, file: str) -> str:
    """Return the address of the file in the folder."""
    parts = urlsplit(folder)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(file)}"))


def is_folder(source: str) -> bool:
    """Whether the address is a folder: it ends in a slash, or is a local directory."""
    parts = urlsplit(source)
    return parts.path.endswith("/") or (parts.scheme == "file" and Path(unquote(parts.path)).is_dir())


def _checked(source: str) -> SplitResult:
    try:
        parts = urlsplit(source)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(f"{source!r} is no address: {error}") from error
    if parts.scheme == "file":
        if host not in (None, "localhost") or not parts.path.startswith("/"):
            raise _refused("a file:// address names an absolute path on this machine")
    elif parts.scheme != "https" or not host:
        raise _refused(f"models come from https:// or file:// addresses only, not from {parts.scheme or 'a path'}")
    elif parts.username or parts.password:
        raise _refused("an address must not hold a user name or a password")
    return parts


def _refused(why: str) -> ModelUnavailable:
    return ModelUnavailable("download_refused", f"The address was refused: {why}.", "Give an https:// or file:// one.")


def _origin(address: SplitResult) -> str:
    return urlunsplit((address.scheme, address.netloc, address.path, "", ""))


@contextmanager
def _opened(
    address: SplitResult, transport: httpx.BaseTransport | None
) -> Iterator[tuple[int | None, Iterable[bytes]]]:
    if address.scheme == "file":
        path = Path(unquote(address.path))
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise _refused(f"{path} is no regular file")
        with path.open("rb") as file:
            yield facts.st_size, iter(lambda: file.read(_CHUNK), b"")
        return
    with (
        httpx.Client(timeout=_TIMEOUT, transport=transport, follow_redirects=False) as client,
        _answer(client, address) as response,
    ):
        length = response.headers.get("content-length", "")
        yield (int(length) if length.isdecimal() else None), response.iter_raw(_CHUNK)


@contextmanager
def _answer(client: httpx.Client, address: SplitResult) -> Iterator[httpx.Response]:
    """The final answer after redirects, every one of which must lead to https."""
    for _ in range(_REDIRECTS + 1):
        with client.stream("GET", address.geturl(), headers={"accept-encoding": "identity"}) as response:
            if not response.has_redirect_location:
                if response.status_code != httpx.codes.OK:
                    # Not httpx's own words, which repeat the address with what may be a secret in it.
                    raise OSError(f"the server answers {response.status_code} {response.reason_phrase}")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _refused("the server sends the file in a changed form")
                yield response
                return
            onward = str(response.url.join(response.headers["location"]))
        address = _checked(onward)
        if address.scheme != "https":
            raise _refused("a server must not lead to a file of this machine")
    raise _refused(f"more than {_REDIRECTS} redirects")


def _written(
    chunks: Iterable[bytes], target: Path, length: int | None, progress: Transferred | None
) -> tuple[str, int]:
    """Write the pieces; return their digest and their size, which must be the one announced."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
            if progress is not None:
                progress(size, length)
    if length is not None and size != length:
        raise OSError(f"it broke off after {size} of {length} bytes")
    return digest.hexdigest(), size


def _limited(chunks: Iterable[bytes], limit: int, origin: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(origin, limit)
        yield chunk


def _require_room(origin: str, target: Path, limit: int, length: int | None) -> None:
    if length is None:
        return
    if length > limit:
        raise _too_large(origin, limit)
    if length > shutil.disk_usage(target.parent).free:
        raise OSError(f"{length >> 20} MiB do not fit into {target.parent}")


def _too_large(origin: str, limit: int) -> ModelUnavailable:
    return ModelUnavailable(
        "download_too_large",
        f"{origin} holds more than the {limit >> 20} MiB that the catalogue allows for this model.",
        "Check that it is the right file; a larger model needs max_bytes in your catalogue file.",
    )
