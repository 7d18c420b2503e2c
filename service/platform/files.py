"""Files that must never be half-written or readable by others."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def prepare_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, whatever the umask and whoever made it before."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part; durable on return."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        _write_and_sync(temporary, data, mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def create_secret_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the file's content, making it first where it is absent; of two processes at once, one wins for both."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write_and_sync(temporary, make(), 0o600)
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    return path.read_bytes()


def _write_and_sync(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
