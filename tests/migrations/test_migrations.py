"""The migrations make exactly the tables that the code expects, on both databases, and can be undone."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from service.platform.database import Base, Database
from service.platform.migrate import downgrade, upgrade
from service.tables import ALL_TABLES


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path / 'a.db'}" if sqlite else request.getfixturevalue("postgres_url"))
    yield database
    database.close()


def test_an_upgraded_database_has_what_the_code_expects(database):
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {t.__tablename__ for t in ALL_TABLES} | {"alembic_version"}


def test_upgrading_twice_changes_nothing(database):
    upgrade(database)
    upgrade(database)


def test_downgrading_to_nothing_and_back_works(database):
    upgrade(database)
    downgrade(database, "base")
    upgrade(database)


@pytest.mark.parametrize("table", ["audit_event", "audit_leaf", "audit_node", "audit_checkpoint"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid", "TRUNCATE {}"])
def test_the_audit_log_refuses_to_be_changed(database, table, statement):
    upgrade(database)
    if database.is_sqlite and "TRUNCATE" in statement:
        return  # SQLite has no such statement
    column = {"audit_event": "id", "audit_leaf": "position", "audit_node": "level", "audit_checkpoint": "size"}[table]
    values = {
        "audit_event": "(id, kind, at, leaf) VALUES ('e', 'k', '2026-01-01', '{}')",
        "audit_leaf": "(position, event_id, hash, sequenced_at) VALUES (0, 'e', 'x', '2026-01-01')",
        "audit_node": "(level, position, hash) VALUES (1, 0, 'x')",
        "audit_checkpoint": "(size, root, note, signed_at) VALUES (1, 'x', 'n', '2026-01-01')",
    }
    with database.engine.begin() as connection:
        if table == "audit_leaf":
            connection.execute(text(f"INSERT INTO audit_event {values['audit_event']}"))
        connection.execute(text(f"INSERT INTO {table} {values[table]}"))
    change = statement.format(table).replace("rowid", column) + (" CASCADE" if "TRUNCATE" in statement else "")
    with pytest.raises(DatabaseError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(change))
