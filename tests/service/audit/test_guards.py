"""The append-only triggers, on both databases."""

# ruff: noqa: S608 (the statements are made of constants)

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.service.audit.conftest import World, create_tables, make_world

TABLES = ["audit_event", "audit_leaf", "audit_node", "audit_checkpoint"]


@pytest.fixture
def filled(either_world: World) -> World:
    either_world.events(3)
    either_world.sequencer.checkpoint()
    return either_world


def _refused(world: World, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), world.database.write() as session:
        session.execute(text(statement))


def test_no_row_can_be_changed_or_deleted(filled: World) -> None:
    for table in TABLES:
        column = {"audit_event": "leaf", "audit_checkpoint": "note"}.get(table, "hash")
        _refused(filled, f"UPDATE {table} SET {column} = {column}")
        _refused(filled, f"DELETE FROM {table}")


def test_no_row_can_be_replaced(filled: World) -> None:
    keys = {"audit_leaf": "position", "audit_node": "level, position"}
    for table in TABLES:
        if filled.database.is_sqlite:
            _refused(filled, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        else:
            key = keys.get(table, "id")
            column = key.split(",")[0]
            update = f"ON CONFLICT ({key}) DO UPDATE SET {column} = EXCLUDED.{column}"
            _refused(filled, f"INSERT INTO {table} SELECT * FROM {table} {update}")


@pytest.mark.postgres
def test_no_table_can_be_truncated(postgres_url: str, tmp_path: Path) -> None:
    world = make_world(postgres_url, tmp_path)
    create_tables(world.database)
    for table in TABLES:
        _refused(world, f"TRUNCATE {table} CASCADE")
    world.database.close()
