"""Keeping the lists of known pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from pipeline.faces import Pixels
from safety.lists.pictures import HASH_BYTES, Hashes, PictureTooPlain, hashes_to_list
from service.audit.events import EventKind, Ref
from service.audit.recorder import record
from service.hashlists.tables import PictureEntry, PictureList
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found

TAKEDOWNS: Final = "takedowns"
MOST_HASHES: Final = 64


def create_list(session: Session, tenant_id: str | None, name: str) -> PictureList:
    """Add a list, or raise 409 where the name is taken."""
    if find_by_name(session, tenant_id, name) is not None:
        raise Problem(409, "list_exists", f"There is a list named {name} already.")
    made = PictureList(id=new_id("hls"), tenant_id=tenant_id, name=name, version=0, created_at=now())
    session.add(made)
    session.flush()
    return made


def find_by_name(session: Session, tenant_id: str | None, name: str) -> PictureList | None:
    """The owner's list of this name."""
    return session.scalar(select(PictureList).where(PictureList.name == name, _owned_by(tenant_id)))


def find_list(session: Session, tenant_id: str | None, list_id: str) -> PictureList:
    """The owner's list, locked for a change; 404 for others'."""
    found = session.get(PictureList, list_id, with_for_update=True)
    if found is None or found.tenant_id != tenant_id:
        raise not_found("list")
    return found


def lists_of(session: Session, tenant_id: str | None) -> Sequence[tuple[PictureList, int]]:
    """The owner's lists, with the number of pictures on each."""
    query = select(PictureList, func.count(PictureEntry.id)).outerjoin(PictureEntry).where(_owned_by(tenant_id))
    return [(row[0], row[1]) for row in session.execute(query.group_by(PictureList.id).order_by(PictureList.name))]


def _owned_by(tenant_id: str | None) -> ColumnElement[bool]:
    return PictureList.tenant_id.is_(None) if tenant_id is None else PictureList.tenant_id == tenant_id


def add_picture(
    session: Session, on: PictureList, pixels: Pixels, *, actor: str, reason: str, job_id: str | None = None
) -> str:
    """List a picture; 422 where it is too plain to be recognised again. Only its hashes are kept."""
    try:
        hashes = hashes_to_list(pixels)
    except PictureTooPlain as error:
        raise Problem(422, "picture_too_plain", str(error)) from error
    (entry,) = add_entries(session, on, [hashes], actor=actor, reason=reason, job_id=job_id)
    return entry


def add_entries(
    session: Session,
    on: PictureList,
    pictures: Sequence[Hashes],
    *,
    actor: str,
    reason: str,
    method: str = "operator",
    job_id: str | None = None,
) -> list[str]:
    """List pictures by their hashes, each uint8 (n, 32); returns the entries' ids."""
    at, ids = now(), []
    for hashes in pictures:
        rows = np.ascontiguousarray(hashes, np.uint8)
        if rows.ndim != 2 or rows.shape[1] != HASH_BYTES or not 1 <= len(rows) <= MOST_HASHES:
            raise Problem(422, "hash_invalid", "A PDQ hash has 256 bits.")
        entry = new_id("pic")
        session.add(
            PictureEntry(id=entry, list_id=on.id, hashes=rows.tobytes(), reason=reason, job_id=job_id, added_at=at)
        )
        ids.append(entry)
    on.version += 1
    refs: dict[str, Ref] = {"list": on.id, "count": len(ids), "method": method, "reason": reason}
    if len(ids) == 1:
        refs["entry"] = ids[0]
    if job_id is not None:
        refs["job"] = job_id
    record(session, EventKind.PICTURE_LISTED, tenant_id=on.tenant_id, actor=actor, refs=refs)
    return ids


def remove_entry(session: Session, on: PictureList, entry_id: str, *, actor: str, reason: str) -> None:
    """Take a picture off a list."""
    entry = session.get(PictureEntry, entry_id)
    if entry is None or entry.list_id != on.id:
        raise not_found("entry")
    session.delete(entry)
    on.version += 1
    refs = {"list": on.id, "entry": entry_id, "reason": reason}
    record(session, EventKind.PICTURE_UNLISTED, tenant_id=on.tenant_id, actor=actor, refs=refs)


def list_taken_down(session: Session, pixels: Pixels, *, job_id: str, actor: str) -> str | None:
    """See to it that an output that was taken down is recognised when it comes back; None for one too plain."""
    on = find_by_name(session, None, TAKEDOWNS) or create_list(session, None, TAKEDOWNS)
    try:
        return add_picture(session, on, pixels, actor=actor, reason="taken_down", job_id=job_id)
    except Problem:
        return None
