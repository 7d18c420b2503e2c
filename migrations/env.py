"""Runs migrations over the database that the caller hands in, or that the settings name (`alembic`)."""

from __future__ import annotations

from typing import Literal

from alembic import context

from service.platform.database import Base, Database, UtcDateTime
from service.platform.settings import Settings
from service.tables import ALL_TABLES

assert ALL_TABLES  # noqa: S101 - importing it registers every table on the metadata


_LOCK = 0x617373656E75  # any number that nothing else locks


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own column type as the plain one, which a migration can use for ever."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    """Migrate inside one transaction, so that a failing migration leaves the database as it was."""
    database: Database = context.config.attributes.get("database") or Database(Settings().database)
    with database.engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, transactional_ddl=True, render_item=_render
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                # Two servers that start together migrate one after the other.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            context.run_migrations()
        connection.commit()


run()
