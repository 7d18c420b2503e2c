"""The protected people in force, opened once and kept in memory until a list changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from pipeline.faces import Floats
from safety.lists.people import Nearest, PeopleIndex
from service.protected.register import EMBEDDING, open_template
from service.protected.tables import ProtectedEntry, ProtectedList

if TYPE_CHECKING:
    from service.assembly import Assent

# How many entries one query asks for; SQLite takes 32766 at most.
_AT_ONCE: Final = 5000
_Signature = tuple[tuple[str, str | None, int], ...]


@dataclass(frozen=True)
class _Loaded:
    signature: _Signature
    index: PeopleIndex
    tenants: tuple[str | None, ...]  # whose each list is, by its number in the index
    # What was opened, so that a changed list of a million does not have to be opened anew: 256 MB for them.
    positions: dict[str, int]
    templates: NDArray[np.float16]


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
                former, self._loaded = self._loaded, None  # a list that cannot be opened is not its former self
                self._loaded = self._load(session, signature, former)
            return self._loaded

    def _load(self, session: Session, signature: _Signature, former: _Loaded | None) -> _Loaded:
        numbers = {list_id: number for number, (list_id, _, _) in enumerate(signature)}
        columns = select(ProtectedEntry.id, ProtectedEntry.list_id, ProtectedEntry.embedder)
        entries = [(row[0], row[1], row[2]) for row in session.execute(columns)]
        for entry, _, embedder in entries:
            if embedder != self._embedder:
                raise ValueError(f"entry {entry} was made by another embedder and has to be added anew")
        known = former.positions if former else {}
        templates = np.empty((len(entries), EMBEDDING), np.float16)
        missing: dict[str, int] = {}
        for position, (entry, _, _) in enumerate(entries):
            if former is not None and entry in known:
                templates[position] = former.templates[known[entry]]
            else:
                missing[entry] = position
        self._open(session, missing, templates)
        ids = [entry for entry, _, _ in entries]
        lists = np.array([numbers[list_id] for _, list_id, _ in entries], np.int32)
        index = PeopleIndex(ids, templates.astype(np.float32), lists)
        positions = {entry: position for position, entry in enumerate(ids)}
        return _Loaded(signature, index, tuple(tenant for _, tenant, _ in signature), positions, templates)

    def _open(self, session: Session, missing: dict[str, int], templates: NDArray[np.float16]) -> None:
        """Open these entries' templates, each into its row."""
        names = iter(missing)
        while some := list(islice(names, _AT_ONCE)):
            for entry in session.scalars(select(ProtectedEntry).where(ProtectedEntry.id.in_(some))):
                templates[missing[entry.id]] = open_template(self._server, session, entry)
                session.expunge(entry)


def _signature(session: Session) -> _Signature:
    rows = session.execute(select(ProtectedList.id, ProtectedList.tenant_id, ProtectedList.version))
    return tuple(sorted((row[0], row[1], row[2]) for row in rows))
