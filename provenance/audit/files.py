"""Small private files, written so that a crash or a second process never leaves half of one."""

import os
import secrets
from pathlib import Path


def write_new(path: Path, data: bytes) -> bool:
    """Write a file that did not exist, readable by the owner only. Say whether this call made it."""
    draft = _draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def replace(path: Path, data: bytes) -> None:
    """Write a file over whatever was there, readable by the owner only."""
    _draft(path, data).replace(path)
    _sync_folder(path.parent)


def _draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
