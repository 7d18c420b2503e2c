"""Keeping the lists of protected people: adding templates, removing them, and saying who did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from pipeline.faces import FaceEmbedder, Floats, Pixels
from service.assembly import Assent
from service.audit.events import EventKind, Ref
from service.audit.recorder import record
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.platform.vault import KeyOwner
from service.protected.tables import ProtectedEntry, ProtectedList

Kind = Literal["public_figures", "victims", "opt_out", "other"]
EMBEDDING: Final = 128
OPT_OUT_LIST: Final = "opt-outs"


def owner_of(list_id: str) -> KeyOwner:
    """Under whose key a list's templates are encrypted."""
    return KeyOwner("protected", list_id)


def embedder_of(embedder: FaceEmbedder) -> str:
    """How entries name the embedder that made them; templates of different ones cannot be compared."""
    return f"{embedder.name}:{','.join(digest[:16] for digest in embedder.digests)}"


def create_list(session: Session, tenant_id: str | None, name: str, kind: Kind) -> ProtectedList:
    """Add a list, or raise 409 where the name is taken."""
    if find_by_name(session, tenant_id, name) is not None:
        raise Problem(409, "list_exists", f"There is a list named {name} already.")
    made = ProtectedList(id=new_id("pls"), tenant_id=tenant_id, name=name, kind=kind, version=0, created_at=now())
    session.add(made)
    session.flush()
    return made


def find_by_name(session: Session, tenant_id: str | None, name: str) -> ProtectedList | None:
    """The owner's list of this name."""
    named = select(ProtectedList).where(ProtectedList.name == name, _owned_by(tenant_id))
    return session.scalar(named)


def find_list(session: Session, tenant_id: str | None, list_id: str) -> ProtectedList:
    """The owner's list, locked for a change; 404 for others'. The operator, without a tenant, owns those of nobody."""
    found = session.get(ProtectedList, list_id, with_for_update=True)
    if found is None or found.tenant_id != tenant_id:
        raise not_found("list")
    return found


def lists_of(session: Session, tenant_id: str | None) -> Sequence[tuple[ProtectedList, int]]:
    """The owner's lists, with the number of people on each."""
    entries = func.count(ProtectedEntry.id)
    query = select(ProtectedList, entries).outerjoin(ProtectedEntry).where(_owned_by(tenant_id))
    return [(row[0], row[1]) for row in session.execute(query.group_by(ProtectedList.id).order_by(ProtectedList.name))]


def _owned_by(tenant_id: str | None) -> ColumnElement[bool]:
    return ProtectedList.tenant_id.is_(None) if tenant_id is None else ProtectedList.tenant_id == tenant_id


def template_from_photo(server: Assent, pixels: Pixels) -> Floats:
    """The embedding of the only face in a photo, float32 (128,); 422 where there is none or several."""
    engine = server.vision.engine
    faces = engine.look(pixels)
    if len(faces) != 1:
        raise Problem(422, "one_face_needed", f"The photo shows {len(faces)} faces; it has to show exactly one.")
    return np.asarray(engine.embed(pixels, faces)[0], np.float32)


def add_entries(
    server: Assent,
    session: Session,
    on: ProtectedList,
    templates: Floats,
    *,
    embedder: str,
    actor: str,
    origin: str,
    token_digest: bytes | None = None,
) -> list[str]:
    """Put people on a list, from float32 (n, 128); returns their entries' ids."""
    rows = np.asarray(templates, "<f4")
    if rows.ndim != 2 or rows.shape[1] != EMBEDDING or not np.isfinite(rows).all():
        raise Problem(422, "template_invalid", "A template is 128 finite numbers.")
    at, ids = now(), [new_id("ppl") for _ in range(len(rows))]
    for entry, row in zip(ids, rows, strict=True):
        sealed = server.vault.encrypt(session, owner_of(on.id), row.tobytes(), _use(entry))
        session.add(
            ProtectedEntry(
                id=entry,
                list_id=on.id,
                embedder=embedder,
                template=sealed,
                origin=origin,
                token_digest=token_digest,
                added_at=at,
            )
        )
    on.version += 1
    refs: dict[str, Ref] = {"list": on.id, "count": len(ids), "method": origin}
    if len(ids) == 1:
        refs["entry"] = ids[0]
    record(session, EventKind.PROTECTED_ADDED, tenant_id=on.tenant_id, actor=actor, refs=refs)
    return ids


def remove_entry(session: Session, on: ProtectedList, entry_id: str, *, actor: str, reason: str) -> None:
    """Take a person off a list; the template is deleted."""
    entry = session.get(ProtectedEntry, entry_id)
    if entry is None or entry.list_id != on.id:
        raise not_found("entry")
    session.delete(entry)
    on.version += 1
    refs = {"list": on.id, "entry": entry_id, "reason": reason}
    record(session, EventKind.PROTECTED_REMOVED, tenant_id=on.tenant_id, actor=actor, refs=refs)


def open_template(server: Assent, session: Session, entry: ProtectedEntry) -> NDArray[np.float32]:
    """The decrypted template, float32 (128,). Raises `VaultError`, or ValueError where it has another size."""
    raw = server.vault.decrypt(session, owner_of(entry.list_id), entry.template, _use(entry.id))
    row = np.frombuffer(raw, "<f4")
    if row.shape != (EMBEDDING,):
        raise ValueError("a stored template has another size")
    return np.asarray(row, np.float32)


def _use(entry_id: str) -> bytes:
    return f"protected_template {entry_id}".encode()
