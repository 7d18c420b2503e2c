"""Writes events: the one way into the audit log, inside the transaction of the thing that happened."""

from typing import Any

from sqlalchemy.orm import Session

from provenance.audit import canonical_json
from service.audit.events import EventKind, Ref, Refs, check_actor, check_id, check_refs
from service.audit.payloads import seal_payload
from service.audit.tables import AuditEvent, AuditPending
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.vault import KeyOwner, Vault

LEAF_FORMAT = "assent-event/1"
VAULT = "vault"  # the key of `Session.info` under which a session carries the vault


def record(
    session: Session,
    kind: EventKind,
    *,
    tenant_id: str | None,
    actor: str,
    refs: Refs,
    payload: dict[str, Any] | None = None,
    key_owner: KeyOwner | None = None,
) -> str:
    """Write an event into the session's transaction and return its id. It counts once that commits.

    `refs` and `actor` stay readable for ever: identifiers and codes only, checked against the kind's schema
    (raises RefsError). `payload` is any JSON and is encrypted under `key_owner`, whose erasure erases it;
    the session must carry the vault in `info["vault"]`. An owner who is erased already keeps no payload, but
    the event is written.
    """
    schema = check_refs(kind, refs)
    event_id, at = new_id("evt"), now()
    sealed = None
    if payload is not None:
        if key_owner is None:
            raise ValueError("a payload needs a key owner, whose erasure erases it")
        sealed = seal_payload(session, _vault(session), key_owner, event_id, payload)
    leaf = {
        "format": LEAF_FORMAT,
        "id": event_id,
        "kind": kind.value,
        "schema": schema.version,
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "tenant": None if tenant_id is None else check_id(tenant_id),
        "actor": check_actor(actor),
        "refs": {name: list(value) if isinstance(value, tuple) else value for name, value in refs.items()},
        "commitment": sealed.commitment.hex() if sealed else None,
    }
    owner = key_owner if sealed else None
    session.add(
        AuditEvent(
            id=event_id,
            kind=kind.value,
            at=at,
            tenant_id=tenant_id,
            job_id=_text(refs.get("job")),
            subject_id=_text(refs.get("subject")),
            leaf=canonical_json(leaf).decode(),
            owner_kind=owner.kind if owner else None,
            owner_id=owner.id if owner else None,
            payload=sealed.ciphertext if sealed else None,
        )
    )
    session.add(AuditPending(event_id=event_id))
    return event_id


def _vault(session: Session) -> Vault:
    vault = session.info.get(VAULT)
    if not isinstance(vault, Vault):
        raise TypeError("the session carries no vault: open it with info={'vault': vault}")
    return vault


def _text(value: Ref | None) -> str | None:
    return value if isinstance(value, str) else None
