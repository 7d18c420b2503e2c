"""Encryption at rest: every owner of data has a key of its own, and destroying that key is the erasure.

Data keys are 256-bit and lie in the database wrapped by the master key of a `KeyProvider`. Ciphertexts are
AES-256-GCM: one version byte, a 12-byte random nonce, then ciphertext and tag. The associated data binds a ciphertext
to its owner and its use, so that a blob moved elsewhere does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.platform.database import Base, now
from service.platform.files import create_secret_once

_VERSION = b"\x01"
_NONCE = 12


class VaultError(Exception):
    """A ciphertext does not open: it was altered, moved, or belongs to another key."""


class KeyDestroyed(VaultError):
    """The owner's key was destroyed or never existed: the data is erased."""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose key: `kind` is one of subject, asset, job, tenant, protected; `id` is the identifier within it."""

    kind: str
    id: str

    def label(self) -> bytes:
        """The owner as bytes, for associated data."""
        return f"{self.kind}:{self.id}".encode()


class KeyProvider(Protocol):
    """Wraps and unwraps data keys: a file in development, a KMS or HSM in production."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a data key, bound to its context."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a data key; raise `VaultError` where it was altered or the context differs."""


class FileKeyProvider:
    """The development key provider: a 256-bit master key, given or in a file that only its owner can read."""

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._key = key or create_secret_once(path, lambda: secrets.token_bytes(32))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See `KeyProvider`."""
        return _seal(self._key, key, b"data-key:" + context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `KeyProvider`."""
        return _open(self._key, wrapped, b"data-key:" + context)

    def derive(self, purpose: str) -> bytes:
        """A 256-bit secret for one purpose (`api-keys`, `watermark`), derived from the master key."""
        return _derive(self._key, b"assent " + purpose.encode())


class DataKey(Base):
    """An owner's wrapped key. A destroyed key keeps its row, so that nobody makes it anew by accident."""

    __tablename__ = "data_keys"

    owner_kind: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class Vault:
    """Encrypts, decrypts and commits to data under its owner's key, inside the caller's transaction."""

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider

    def encrypt(self, session: Session, owner: KeyOwner, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt under the owner's key, which is made at its first use. Raises `KeyDestroyed`."""
        return _seal(self._key(session, owner, create=True), plaintext, owner.label() + b"|" + aad)

    def decrypt(self, session: Session, owner: KeyOwner, blob: bytes, aad: bytes) -> bytes:
        """Decrypt what `encrypt` returned. Raises `KeyDestroyed`, or `VaultError` for an altered blob."""
        return _open(self._key(session, owner, create=False), blob, owner.label() + b"|" + aad)

    def commitment(self, session: Session, owner: KeyOwner, data: bytes) -> bytes:
        """HMAC-SHA-256 of the data under a key derived from the owner's: it tells nothing once that is destroyed."""
        key = _derive(self._key(session, owner, create=True), b"assent audit commitment")
        return hmac.digest(key, data, hashlib.sha256)

    def destroy(self, session: Session, owner: KeyOwner) -> bool:
        """Destroy the owner's key; returns whether there was one. Everything under it is unreadable from then on."""
        row = session.get(DataKey, (owner.kind, owner.id), with_for_update=True)
        if row is None:
            # A tombstone: a later use must not bring the owner back to life.
            session.add(DataKey(owner_kind=owner.kind, owner_id=owner.id, created_at=now(), destroyed_at=now()))
            return False
        had = row.wrapped is not None
        row.wrapped, row.destroyed_at = None, row.destroyed_at or now()
        return had

    def _key(self, session: Session, owner: KeyOwner, *, create: bool) -> bytes:
        row = session.get(DataKey, (owner.kind, owner.id))
        if row is None and create:
            row = self._create(session, owner)
        if row is None or row.wrapped is None:
            raise KeyDestroyed(f"the key of {owner.kind} {owner.id} does not exist (any more)")
        return self._provider.unwrap(row.wrapped, owner.label())

    def _create(self, session: Session, owner: KeyOwner) -> DataKey:
        """Insert the key unless another transaction just did; both then use the same one."""
        wrapped = self._provider.wrap(secrets.token_bytes(32), owner.label())
        values = {
            "owner_kind": owner.kind,
            "owner_id": owner.id,
            "wrapped": wrapped,
            "created_at": now(),
        }
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(dialect.insert(DataKey).values(**values).on_conflict_do_nothing())
        return session.get_one(DataKey, (owner.kind, owner.id), populate_existing=True)


def _seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def _open(key: bytes, blob: bytes, aad: bytes) -> bytes:
    if blob[:1] != _VERSION or len(blob) < 1 + _NONCE + 16:
        raise VaultError("the ciphertext is not in a format that this version reads")
    try:
        return AESGCM(key).decrypt(blob[1 : 1 + _NONCE], blob[1 + _NONCE :], aad)
    except InvalidTag:
        raise VaultError("the ciphertext was altered, moved, or belongs to another key") from None


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)
