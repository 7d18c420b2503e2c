"""Where bytes are kept: a folder by default. What goes in is encrypted already; see `EncryptedBlobs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from sqlalchemy import event
from sqlalchemy.orm import Session

from service.platform.files import write_atomically
from service.platform.vault import KeyOwner, Vault

_KEY = re.compile(r"[a-z0-9_]{8,64}")


class BlobMissing(Exception):
    """There are no bytes under this key."""


class BlobStore(Protocol):
    """Keeps bytes under keys; a `put` is atomic and durable when it returns."""

    def put(self, key: str, data: bytes) -> None:
        """Store or replace."""

    def get(self, key: str) -> bytes:
        """Return the bytes; raise `BlobMissing`."""

    def delete(self, key: str) -> None:
        """Remove; removing what is not there is no error."""


class FolderBlobs:
    """The embedded default: files below one folder, spread by the last two characters of their key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore`."""
        write_atomically(self._path(key), data)

    def get(self, key: str) -> bytes:
        """See `BlobStore`."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(key) from None

    def delete(self, key: str) -> None:
        """See `BlobStore`."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a blob key: {key!r}")
        return self._root / key[-2:] / key


class EncryptedBlobs:
    """The only way the service keeps bytes: each blob is encrypted under its owner's key."""

    def __init__(self, store: BlobStore, vault: Vault) -> None:
        self._store, self._vault = store, vault

    def put(self, session: Session, owner: KeyOwner, key: str, data: bytes) -> None:
        """Encrypt and store. The file is there before the caller's transaction commits; an orphan is unreadable."""
        self._store.put(key, self._vault.encrypt(session, owner, data, key.encode()))

    def get(self, session: Session, owner: KeyOwner, key: str) -> bytes:
        """Load and decrypt. Raises `BlobMissing`, `KeyDestroyed` or `VaultError`."""
        return self._vault.decrypt(session, owner, self._store.get(key), key.encode())

    def delete(self, session: Session, key: str) -> None:
        """Remove the stored bytes once the caller's transaction has committed: a rolled-back erasure loses nothing."""
        event.listen(session, "after_commit", lambda _session: self._store.delete(key), once=True)
