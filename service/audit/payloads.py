"""The part of an event that may describe a person: committed to in the leaf, encrypted beside it.

The leaf holds HMAC-SHA-256(opening, payload). The opening is a key of this one event, derived from its
owner's data key: an export may carry it and open one event without opening another, and once the owner's key
is destroyed nobody can test a guess against the commitment.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy.orm import Session

from provenance.audit import canonical_json
from service.audit.tables import AuditEvent
from service.platform.vault import DataKey, KeyDestroyed, KeyOwner, Vault, VaultError

ERASED: Final = "erased"
_HELD = "audit_held_keys"
_MAX_HELD = 1000


@dataclass(frozen=True)
class SealedPayload:
    """What the log keeps of a payload: the commitment (32 bytes) for the leaf, and the ciphertext."""

    commitment: bytes
    ciphertext: bytes


@dataclass(frozen=True)
class OpenPayload:
    """A payload as canonical JSON text, and the 32-byte opening that proves it the committed one."""

    text: str
    opening: bytes


class PayloadDamagedError(VaultError):
    """A payload decrypts to something other than what the leaf commits to."""


def seal_payload(
    session: Session, vault: Vault, owner: KeyOwner, event_id: str, payload: dict[str, Any]
) -> SealedPayload | None:
    """Commit to and encrypt a payload; None where its owner is erased already: nothing may be kept then."""
    data = canonical_json(payload)
    try:
        ciphertext = vault.encrypt(session, owner, data, _context(event_id))
        _hold_key(session, owner)
        return SealedPayload(_commit(_opening(session, vault, owner, event_id), data), ciphertext)
    except KeyDestroyed:
        return None


def open_payload(
    session: Session, vault: Vault, event: AuditEvent, commitment: bytes | None
) -> OpenPayload | Literal["erased"] | None:
    """Return an event's payload, 'erased' once its owner's key is destroyed, None where it never had one.

    `commitment` is what the leaf states. Raises VaultError or PayloadDamagedError where the stored bytes were
    changed.
    """
    if commitment is None and event.payload is None:
        return None
    if commitment is None or event.payload is None or event.owner_kind is None or event.owner_id is None:
        raise PayloadDamagedError(f"the payload of {event.id} was removed or added")
    owner = KeyOwner(event.owner_kind, event.owner_id)
    _hold_key(session, owner)
    try:
        data = vault.decrypt(session, owner, event.payload, _context(event.id))
        opening = _opening(session, vault, owner, event.id)
    except KeyDestroyed:
        return ERASED
    if not hmac.compare_digest(_commit(opening, data), commitment):
        raise PayloadDamagedError(f"the payload of {event.id} is not the one that its leaf commits to")
    return OpenPayload(data.decode(), opening)


def _hold_key(session: Session, owner: KeyOwner) -> None:
    """Keep the row of the owner's key in the session, which would otherwise read it again for every event."""
    held = session.info.setdefault(_HELD, {})
    if len(held) >= _MAX_HELD:
        held.clear()
    held[owner] = session.get(DataKey, (owner.kind, owner.id))


def _context(event_id: str) -> bytes:
    return b"audit payload " + event_id.encode()


def _opening(session: Session, vault: Vault, owner: KeyOwner, event_id: str) -> bytes:
    return vault.commitment(session, owner, b"assent audit opening " + event_id.encode())


def _commit(opening: bytes, data: bytes) -> bytes:
    return hmac.digest(opening, data, hashlib.sha256)
