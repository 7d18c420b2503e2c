"""Bringing the database to the present schema, from Python: no working directory or configuration file is needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

import migrations
from service.platform.database import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Run all migrations up to `revision`; does nothing when the database is there already."""
    command.upgrade(_config(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Run migrations backwards down to `revision` (`base` removes everything)."""
    command.downgrade(_config(database), revision)


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database"] = database
    return config
