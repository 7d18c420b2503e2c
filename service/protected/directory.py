"""The protected people in force, opened once and kept in memory until a list changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from pipeline.faces import Floats
from safety.lists.people import Nearest, PeopleIndex
from service.protected.register import EMBEDDING, open_template
from service.protected.tables import ProtectedEntry, ProtectedList

if TYPE_CHECKING:
    from service.assembly import Assent

_Signature = tuple[tuple[str, str | None, int], ...]


@dataclass(frozen=True)
class _Loaded:
    signature: _Signature
    index: PeopleIndex
    tenants: tuple[str | None, ...]  # whose each list is, by its number in the index


class ProtectedPeople:
    """A `PeopleDirectory` over the database. It raises where a list cannot be opened or compared as a whole."""

    def __init__(self, server: Assent, embedder: str) -> None:
        self._server = server
        self._embedder = embedder
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def nearest(self, embeddings: Floats, tenant: str | None) -> Sequence[Nearest]:
        """Look among the lists of nobody and of the tenant."""
        loaded = self._current()
        mine = {number for number, owner in enumerate(loaded.tenants) if owner in (None, tenant)}
        return loaded.index.nearest(embeddings, mine)

    def _current(self) -> _Loaded:
        with self._lock, self._server.database.read() as session:
            signature = _signature(session)
            if self._loaded is None or self._loaded.signature != signature:
                self._loaded = None  # a list that cannot be opened must not leave its former self in force
                self._loaded = self._load(session, signature)
            return self._loaded

    def _load(self, session: Session, signature: _Signature) -> _Loaded:
        numbers = {list_id: number for number, (list_id, _, _) in enumerate(signature)}
        ids: list[str] = []
        rows: list[Floats] = []
        lists: list[int] = []
        for entry in session.scalars(select(ProtectedEntry).execution_options(yield_per=5000)):
            if entry.embedder != self._embedder:
                raise ValueError(f"entry {entry.id} was made by another embedder and has to be added anew")
            ids.append(entry.id)
            rows.append(open_template(self._server, session, entry))
            lists.append(numbers[entry.list_id])
        table = np.stack(rows) if rows else np.zeros((0, EMBEDDING), np.float32)
        index = PeopleIndex(ids, np.asarray(table, np.float32), np.asarray(lists, np.int32))
        return _Loaded(signature, index, tuple(tenant for _, tenant, _ in signature))


def _signature(session: Session) -> _Signature:
    rows = session.execute(select(ProtectedList.id, ProtectedList.tenant_id, ProtectedList.version))
    return tuple(sorted((row[0], row[1], row[2]) for row in rows))
