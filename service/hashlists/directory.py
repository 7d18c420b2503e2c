"""The known pictures in force, kept in memory until a list changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from safety.lists.pictures import HASH_BYTES, Hashes, NearestPicture, PictureIndex
from service.hashlists.tables import PictureEntry, PictureList
from service.platform.database import Database

_Signature = tuple[tuple[str, str | None, int], ...]


@dataclass(frozen=True)
class _Loaded:
    signature: _Signature
    index: PictureIndex
    tenants: tuple[str | None, ...]


class KnownPictures:
    """A `PictureDirectory` over the database. It raises where a list cannot be read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def nearest(self, hashes: Hashes, tenant: str | None) -> NearestPicture:
        """Look among the lists of nobody and of the tenant."""
        loaded = self._current()
        mine = {number for number, owner in enumerate(loaded.tenants) if owner in (None, tenant)}
        return loaded.index.nearest(hashes, mine)

    def _current(self) -> _Loaded:
        with self._lock, self._database.read() as session:
            rows = session.execute(select(PictureList.id, PictureList.tenant_id, PictureList.version))
            signature = tuple(sorted((row[0], row[1], row[2]) for row in rows))
            if self._loaded is None or self._loaded.signature != signature:
                self._loaded = None
                self._loaded = _load(session, signature)
            return self._loaded


def _load(session: Session, signature: _Signature) -> _Loaded:
    numbers = {list_id: number for number, (list_id, _, _) in enumerate(signature)}
    ids: list[str] = []
    lists: list[int] = []
    parts: list[bytes] = []
    for entry in session.scalars(select(PictureEntry).execution_options(yield_per=5000)):
        count, rest = divmod(len(entry.hashes), HASH_BYTES)
        if rest or not count:
            raise ValueError(f"entry {entry.id} is damaged")
        ids += [entry.id] * count
        lists += [numbers[entry.list_id]] * count
        parts.append(entry.hashes)
    hashes = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, HASH_BYTES)
    return _Loaded(signature, PictureIndex(ids, hashes, np.asarray(lists, np.int32)), tuple(t for _, t, _ in signature))
