"""Tables of the audit log, and the triggers that keep them append-only.

An event is written by the business transaction, together with a row in the queue. The sequencer turns queued
events into leaves of the Merkle tree. The triggers are guard rails against mistakes; the proof is the signed
checkpoint.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Connection, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from service.platform.database import Base

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")


class AuditEvent(Base):
    """Something that happened. `leaf` is the canonical JSON that the tree covers; columns repeat parts of it.

    `payload` is ciphertext under the key of (`owner_kind`, `owner_id`), which `service.audit.payloads` opens.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_tenant_at", "tenant_id", "at"),
        Index("ix_audit_event_job", "job_id", sqlite_where=text("job_id IS NOT NULL")),
        Index("ix_audit_event_subject", "subject_id", sqlite_where=text("subject_id IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    tenant_id: Mapped[str | None]
    job_id: Mapped[str | None]
    subject_id: Mapped[str | None]
    leaf: Mapped[str] = mapped_column(Text)
    owner_kind: Mapped[str | None]
    owner_id: Mapped[str | None]
    payload: Mapped[bytes | None]


class AuditPending(Base):
    """The queue of events that are not in the tree yet; the only audit table that rows leave."""

    __tablename__ = "audit_pending"

    position: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("audit_event.id"), unique=True)


class AuditLeaf(Base):
    """A leaf of the tree: positions have no gaps; `hash` is the 32-byte leaf hash of the event's `leaf`."""

    __tablename__ = "audit_leaf"

    position: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(ForeignKey("audit_event.id"), unique=True)
    hash: Mapped[bytes]
    sequenced_at: Mapped[datetime]


class AuditNode(Base):
    """A complete subtree of 2**level leaves, level 1 and above; level 0 is `audit_leaf`."""

    __tablename__ = "audit_node"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class AuditCheckpoint(Base):
    """A signed statement of the tree's size and root. `note` is the signed note, byte for byte."""

    __tablename__ = "audit_checkpoint"

    id: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    size: Mapped[int] = mapped_column(_BIG, index=True)
    root: Mapped[bytes]
    note: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime]


# Each guarded table with the test that finds a row which `INSERT OR REPLACE` would silently delete: SQLite
# does not fire delete triggers for those.
_GUARDED = {
    "audit_event": "id = NEW.id",
    "audit_leaf": "position = NEW.position OR event_id = NEW.event_id",
    "audit_node": "level = NEW.level AND position = NEW.position",
    "audit_checkpoint": "id = NEW.id",
}


def _sqlite_guards() -> list[str]:
    statements = []
    for table, same_row in _GUARDED.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        replaced = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row})"  # noqa: S608 (constants only)
        statements += [
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {replaced} {refuse}",
        ]
    return statements


def _postgresql_guards() -> list[str]:
    statements = [
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', "
        "ERRCODE = 'restrict_violation'; END $$"
    ]
    for table in _GUARDED:
        statements += [
            # For each statement: it fires for no rows too, for ON CONFLICT DO UPDATE, and costs inserts
            # nothing.
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only",
        ]
    return statements


GUARDS: dict[str, tuple[str, ...]] = {
    "sqlite": tuple(_sqlite_guards()),
    "postgresql": tuple(_postgresql_guards()),
}


def install_guards(connection: Connection) -> None:
    """Create the append-only triggers; the migration that creates the tables calls this once."""
    for statement in GUARDS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def remove_guards(connection: Connection) -> None:
    """Drop what the triggers leave behind after their tables are gone; a downgrade calls this last."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION audit_append_only()")
