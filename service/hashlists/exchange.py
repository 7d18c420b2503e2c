"""Hash lists to exchange with others: CSV with one PDQ hash a line, or JSON with all hashes of a picture together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.lists.pictures import HASH_BYTES, Hashes
from service.hashlists.register import MOST_HASHES
from service.hashlists.tables import PictureEntry, PictureList
from service.platform.problems import Problem

FORMAT: Final = "assent-hash-list/1"
MOST_ENTRIES: Final = 1_000_000


def export_csv(session: Session, on: PictureList) -> str:
    """The columns `hash` (64 hexadecimal digits), `entry`, `reason`; several lines may share an entry."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("hash", "entry", "reason"))
    for entry in _entries(session, on):
        writer.writerows((row.tobytes().hex(), entry.id, entry.reason) for row in _rows(entry))
    return text.getvalue()


def export_json(session: Session, on: PictureList) -> str:
    """One object: the format, the list's name, and the entries with their hashes."""
    entries = [
        {"entry": entry.id, "reason": entry.reason, "pdq": [row.tobytes().hex() for row in _rows(entry)]}
        for entry in _entries(session, on)
    ]
    return json.dumps({"format": FORMAT, "list": on.name, "entries": entries}, indent=1)


def parse(text: str) -> list[Hashes]:
    """Read either form; in CSV only the column `hash` is needed. Raises `Problem` 422 that names the bad line."""
    grouped = _from_json(text) if text.lstrip().startswith("{") else _from_csv(text)
    if not grouped:
        raise Problem(422, "list_empty", "The list has no hashes.")
    if len(grouped) > MOST_ENTRIES:
        raise Problem(422, "list_too_long", f"A list has at most {MOST_ENTRIES} entries.")
    return grouped


def _from_csv(text: str) -> list[Hashes]:
    reader = csv.DictReader(io.StringIO(text))
    if "hash" not in (reader.fieldnames or ()):
        raise Problem(422, "list_invalid", "The CSV has no column named hash.")
    groups: dict[str, list[Hashes]] = {}
    for line, row in enumerate(reader, start=2):
        groups.setdefault(row.get("entry") or f"line {line}", []).append(_hash(row["hash"], f"line {line}"))
    return [np.stack(rows) for rows in groups.values()]


def _from_json(text: str) -> list[Hashes]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise Problem(422, "list_invalid", f"The list is not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("entries"), list):
        raise Problem(422, "list_invalid", f"The list is not in the format {FORMAT}.")
    pictures = []
    for number, entry in enumerate(value["entries"]):
        hashes = entry.get("pdq") if isinstance(entry, dict) else None
        if not isinstance(hashes, list) or not 1 <= len(hashes) <= MOST_HASHES:
            raise Problem(422, "list_invalid", f"Entry {number} has no hashes, or too many.")
        pictures.append(np.stack([_hash(item, f"entry {number}") for item in hashes]))
    return pictures


def _hash(text: object, where: str) -> Hashes:
    try:
        raw = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise Problem(422, "hash_invalid", f"{where}: a PDQ hash is 64 hexadecimal digits.")
    return np.frombuffer(raw, np.uint8)


def _entries(session: Session, on: PictureList) -> Sequence[PictureEntry]:
    query = select(PictureEntry).where(PictureEntry.list_id == on.id)
    return session.scalars(query.order_by(PictureEntry.added_at, PictureEntry.id)).all()


def _rows(entry: PictureEntry) -> Hashes:
    return np.frombuffer(entry.hashes, np.uint8).reshape(-1, HASH_BYTES)
