"""Files that are either whole or absent, and their digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def temporary_file(folder: Path, prefix: str) -> Iterator[Path]:
    """A new empty file in the folder, which is made if absent; it is gone afterwards unless it was moved away."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{prefix}-", suffix=".part")
    os.close(handle)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def move_into_place(temporary: Path, target: Path) -> None:
    """Rename so that a reader sees the old file or the whole new one, also after a crash."""
    with temporary.open("rb") as file:
        os.fchmod(file.fileno(), 0o644)  # what one user prepares, the server's user reads
        os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomically(target: Path, content: bytes) -> None:
    """Write so that a reader sees the whole file or none, and a crash leaves no half-written one."""
    with temporary_file(target.parent, target.name) as temporary:
        temporary.write_bytes(content)
        move_into_place(temporary, target)
