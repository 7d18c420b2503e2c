"""What can be asked of the log: events, receipts, checkpoints, consistency and the merge delay."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provenance.audit import Checkpoint, Receipt, Tree, parse_note
from service.audit.payloads import OpenPayload, open_payload
from service.audit.store import SqlAuditStore
from service.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditPending
from service.platform.database import now
from service.platform.vault import Vault


@dataclass(frozen=True)
class Backlog:
    """How many events wait for their place in the tree, and for how long the oldest has."""

    events: int
    oldest_s: float


def receipt_for(session: Session, event_id: str) -> str | None:
    """Return the `.tlog-proof` receipt of an event under the latest checkpoint, None before one covers it."""
    found = session.execute(
        select(AuditLeaf.position, AuditEvent.leaf)
        .join(AuditEvent, AuditEvent.id == AuditLeaf.event_id)
        .where(AuditLeaf.event_id == event_id)
    ).one_or_none()
    note = latest_checkpoint(session)
    if found is None or note is None:
        return None
    position, leaf = found
    size = Checkpoint.parse(parse_note(note).text).size
    if position >= size:
        return None
    proof = Tree(SqlAuditStore(session)).inclusion(position, size)
    return str(Receipt(position, tuple(proof), note, leaf.encode()))


def latest_checkpoint(session: Session) -> str | None:
    """Return the newest checkpoint as a signed note, None before the first."""
    return SqlAuditStore(session).last_checkpoint()


def checkpoint_at(session: Session, size: int) -> str | None:
    """Return the first checkpoint that covers at least `size` leaves, None where there is none yet."""
    query = select(AuditCheckpoint.note).where(AuditCheckpoint.size >= size)
    return session.scalar(query.order_by(AuditCheckpoint.size, AuditCheckpoint.id).limit(1))


def consistency_proof(session: Session, old: int, new: int) -> list[bytes]:
    """Return the hashes that prove the tree of `new` leaves to extend the tree of `old`.

    Raises ProofError where the sizes are in the wrong order, TreeError where the log is not that large.
    """
    return Tree(SqlAuditStore(session)).consistency(old, new)


def events_of_job(session: Session, tenant_id: str, job_id: str) -> list[AuditEvent]:
    """Return a job's events in the order they happened."""
    query = select(AuditEvent).where(AuditEvent.job_id == job_id, AuditEvent.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(AuditEvent.at, AuditEvent.id)))


def read_payload(session: Session, vault: Vault, event: AuditEvent) -> dict[str, Any] | Literal["erased"] | None:
    """Return an event's payload, 'erased' after the erasure of its owner, None where it has none.

    Raises VaultError or PayloadDamagedError where the stored bytes are not what the leaf commits to.
    """
    stated = json.loads(event.leaf)["commitment"]
    opened = open_payload(session, vault, event, None if stated is None else bytes.fromhex(stated))
    return json.loads(opened.text) if isinstance(opened, OpenPayload) else opened


def index_range(session: Session, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Return the first leaf and the end (exclusive) of the smallest range with all events of that time.

    `since` is inclusive, `until` exclusive; only leaves under the latest checkpoint count. Leaves stand in the order
    in which they were sequenced, so the range may hold a few events from just before or after.
    """
    signed = select(func.coalesce(func.max(AuditCheckpoint.size), 0)).scalar_subquery()
    query = (
        select(func.min(AuditLeaf.position), func.max(AuditLeaf.position))
        .join(AuditEvent, AuditEvent.id == AuditLeaf.event_id)
        .where(AuditLeaf.position < signed)
    )
    if since is not None:
        query = query.where(AuditEvent.at >= since)
    if until is not None:
        query = query.where(AuditEvent.at < until)
    first, last = session.execute(query).one()
    return (0, 0) if first is None else (first, last + 1)


def backlog(session: Session) -> Backlog:
    """Return how far the tree is behind the events: the merge delay."""
    count, oldest = session.execute(
        select(func.count(), func.min(AuditEvent.at)).join_from(AuditPending, AuditEvent)
    ).one()
    return Backlog(count, max(0.0, (now() - oldest).total_seconds()) if oldest else 0.0)
