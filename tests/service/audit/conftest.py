"""An audit log in a database of its own, on SQLite and on PostgreSQL, and ways to fill it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from provenance.audit import LogKeys
from service.audit.events import EventKind
from service.audit.recorder import record
from service.audit.sequencer import Sequencer
from service.audit.tables import (
    AuditCheckpoint,
    AuditEvent,
    AuditLeaf,
    AuditNode,
    AuditPending,
    install_guards,
)
from service.platform.database import Base, Database
from service.platform.ids import new_id
from service.platform.vault import DataKey, FileKeyProvider, KeyOwner, Vault

ORIGIN = "log.example/audit"
TABLES = [model.__table__ for model in (AuditEvent, AuditPending, AuditLeaf, AuditNode, AuditCheckpoint, DataKey)]


@dataclass
class World:
    """A database with the audit tables, its keys, and one tenant and subject."""

    database: Database
    vault: Vault
    keys: LogKeys
    sequencer: Sequencer
    tenant: str
    subject: KeyOwner

    def event(self, payload: dict[str, Any] | None = None, **refs: Any) -> str:
        """Record one event in a transaction of its own."""
        with self.database.write() as session:
            return self._record(session, payload, **refs)

    def events(self, count: int, payload: dict[str, Any] | None = None) -> list[str]:
        """Record several events in one transaction."""
        with self.database.write() as session:
            return [self._record(session, payload) for _ in range(count)]

    def _record(self, session: Session, payload: dict[str, Any] | None, **refs: Any) -> str:
        return record(
            session,
            EventKind.JOB_JUDGED,
            tenant_id=self.tenant,
            actor="system",
            refs={"job": new_id("job"), "stage": "input", "outcome": "allow"} | refs,
            payload=payload,
            key_owner=self.subject if payload is not None else None,
        )

    def erase(self) -> None:
        """Destroy the subject's key."""
        with self.database.write() as session:
            self.vault.destroy(session, self.subject)


def make_world(url: str, folder: Path) -> World:
    vault = Vault(FileKeyProvider(folder / "master.key"))
    database = Database(url, vault=vault)
    keys = LogKeys.open(folder / "log", ORIGIN)
    return World(database, vault, keys, Sequencer(database, keys), new_id("ten"), KeyOwner("subject", new_id("sub")))


def create_tables(database: Database) -> None:
    with database.write() as session:
        Base.metadata.create_all(session.connection(), tables=TABLES)
        install_guards(session.connection())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'audit.db'}"


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    """A log on SQLite."""
    made = make_world(sqlite_url, tmp_path)
    create_tables(made.database)
    yield made
    made.database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def either_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A log on SQLite, and then one on PostgreSQL."""
    made = make_world(request.getfixturevalue(f"{request.param}_url"), tmp_path)
    create_tables(made.database)
    yield made
    made.database.close()
